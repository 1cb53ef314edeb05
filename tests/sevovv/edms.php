<?php
// A document system in PHP: fetches what waits from ?wsdl's service, registers each appeal, and prints what happened.
[$_, $url, $password, $system] = $argv;
$sev = new SoapClient("$url?wsdl", ["cache_wsdl" => WSDL_CACHE_NONE, "location" => $url]);
$me = ["Password" => $password, "SystemId" => $system];
echo "version ", $sev->GetVersion()->GetVersionResult, "\n";
$waiting = $sev->GetInputMessages(["identity" => $me, "сount" => 10])->GetInputMessagesResult->MessageInfo ?? [];
foreach (is_array($waiting) ? $waiting : [$waiting] as $info) {
    $session = $sev->OpenDownloadingSession(["identity" => $me, "messageId" => $info->MessageId])->OpenDownloadingSessionResult;
    $package = "";
    while (strlen($package) < $session->MessageSize) {
        $part = $sev->DownloadMessageChunk([
            "identity" => $me, "sessionId" => $session->SessionId, "fromPosition" => strlen($package), "count" => 1000,
        ])->DownloadMessageChunkResult;
        $package .= $part->MessageChunk;
    }
    $proof = $sev->GetMessageValidationInfo(["identity" => $me, "sessionId" => $session->SessionId])->GetMessageValidationInfoResult;
    if (strcasecmp($proof->Hash, hash("sha256", $package))) {
        exit("wrong hash\n");
    }
    preg_match('/<Header [^>]*>/', $package, $tag);
    preg_match_all('/([a-z_]+)="([^"]*)"/', $tag[0], $found);
    $header = array_combine($found[1], $found[2]);
    $sev->EndProcessingDownloadedMessage(["identity" => $me, "sessionInfo" => ["SessionId" => $session->SessionId, "Status" => "Delivered"]]);
    $id = "php-" . $header["msg_id"];
    $notice = <<<XML
    <Header standart="1207" version="1.5" charset="UTF-8" time="{$header["time"]}" msg_type="0" msg_id="$id"
      from_org_id="{$header["to_org_id"]}" from_organization="Орган" from_sys_id="$system" from_system="СЕД"
      to_org_id="{$header["from_org_id"]}" to_organization="НКЦ" to_sys_id="99999999" to_system="СЕВ">
      <Acknowledgement msg_id="{$header["msg_id"]}" ack_type="3"><RegNumber regdate="2026-11-24">PHP-7</RegNumber>
      <AckResult errorcode="0" errortext=""/></Acknowledgement></Header>
    XML;
    $upload = $sev->OpenUploadingSession([
        "identity" => $me,
        "messageInfo" => [
            "Creator" => "Sed", "Format" => "Plain", "FromOrgId" => $header["to_org_id"], "FromSysId" => $system,
            "MessageId" => $id, "Size" => strlen($notice), "ToOrgId" => $header["from_org_id"],
            "ToSysId" => "99999999", "Type" => "Notification",
        ],
        "hash" => strtoupper(hash("sha256", $notice)),
        "signature" => "",
    ])->OpenUploadingSessionResult;
    $ended = $sev->UploadMessageChunk(["identity" => $me, "sessionId" => $upload->SessionId, "messageChunk" => $notice])->UploadMessageChunkResult;
    echo "registered ", $header["msg_id"], " ", $ended->Status, "\n";
}
try {
    $sev->GetSessionInfo(["identity" => $me, "sessionId" => 999999999]);
} catch (SoapFault $fault) {
    echo "fault ", $fault->detail->CommunicationError->Code, "\n";
}
