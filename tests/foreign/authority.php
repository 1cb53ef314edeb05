<?php
// An authority's system in PHP: SoapServer with our authority.wsdl. Run as the router of PHP's own web server.
// HUB_WSDL: the WSDL; HUB_STATE: a folder to remember messages in; HUB_MODE: accept, refuse, fault, lose.

function uuid7(): string {
    $hex = str_pad(dechex((int) (microtime(true) * 1000)), 12, '0', STR_PAD_LEFT) . '7' . substr(bin2hex(random_bytes(2)), 1)
        . dechex(8 + random_int(0, 3)) . substr(bin2hex(random_bytes(8)), 1);
    return preg_replace('/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/', '$1-$2-$3-$4-$5', $hex);
}

class Authority {
    public function DeliverEnvelope($call) {
        $file = getenv('HUB_STATE') . '/' . $call->messageId;
        $mode = getenv('HUB_MODE');
        if ($mode === 'fault') {
            throw new SoapFault('Server', 'Базу даних зайнято');
        }
        if ($mode === 'refuse') {
            return ['messageId' => $call->messageId, 'status' => 'refused', 'ground' => 'wrong_addressee'];
        }
        if (file_exists($file)) {
            return ['messageId' => $call->messageId, 'status' => 'duplicate', 'id' => 'ПХП-1'];
        }
        file_put_contents($file, $call->content);
        if ($mode === 'lose') {
            exit;
        }
        $answer = ['messageId' => $call->messageId, 'status' => 'accepted', 'id' => 'ПХП-1'];
        $appeal = json_decode($call->content)->envelope;
        $answer['receipt'] = [['contentType' => 'application/json', 'content' => json_encode([
            'version' => $appeal->version, 'kind' => 'receipt',
            'header' => [
                'message_id' => uuid7(), 'case_id' => $appeal->header->case_id, 'in_reply_to' => $call->messageId,
                'created_at' => gmdate('Y-m-d\TH:i:s\Z'), 'sender' => ['code' => $appeal->header->recipient->code],
                'recipient' => ['code' => $appeal->header->sender->code],
            ],
            'body' => [
                'status' => 'registered', 'at' => gmdate('Y-m-d\TH:i:s\Z'), 'number' => 'ПХП-17/26', 'date' => gmdate('Y-m-d'),
            ],
        ])]];
        return $answer;
    }

    public function GetReceipts($call) {
        return ['messageId' => $call->messageId];
    }
}

$server = new SoapServer(getenv('HUB_WSDL'), ['cache_wsdl' => WSDL_CACHE_NONE]);
$server->setClass('Authority');
$server->handle();
