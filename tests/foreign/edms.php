<?php
// A document system in PHP with a WSDL of its own (that of docs/adapters/soap.md). HUB_WSDL: the file.

class Edms {
    public function Register($call) {
        if ($call->kind !== 3 || $call->person->surname === '' || strlen($call->original) < 100) {
            return ['code' => 2, 'message' => 'не за формою'];
        }
        return ['code' => 0, 'number' => '17-4501/26', 'date' => '25.11.2026'];
    }
}

$server = new SoapServer(getenv('HUB_WSDL'), ['cache_wsdl' => WSDL_CACHE_NONE]);
$server->setClass('Edms');
$server->handle();
