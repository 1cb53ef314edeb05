<?php
// A register that reads and answers rpc/encoded with PHP's own SoapServer, by the description of the recipe.
class Register {
  public function protocolla($authentication, $document) {
    $said = clone $document;
    $code = $authentication->username === 'ncc' && $authentication->password === getenv('REGISTER_PASSWORD') && $document->contenuto !== null ? '000' : '100';
    $one = $document->mittentiDestinatari;
    $said->oggetto = is_array($one) ? $one[0]->cognome : $one->MittenteDestinatario->cognome;
    $said->contenuto = null;
    $said->id = 9000;
    $said->numeroProtocollo = '0000100';
    $said->dataProtocollo = '2026-11-30T12:41:00Z';
    $said->esito = (object)['codiceEsito' => $code, 'descrizioneEsito' => $said->oggetto];
    return $said;
  }
}
$server = new SoapServer(getenv('REGISTER_WSDL'), ['cache_wsdl' => WSDL_CACHE_NONE]);
$server->setClass('Register');
$server->handle(file_get_contents('php://input'));
