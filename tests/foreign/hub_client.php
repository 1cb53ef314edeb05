<?php
// An authority's system in PHP: pulls the inbox, fetches a message, acknowledges it, asks for its state. Prints JSON.
[, $wsdl, $key, $message, $receipt, $version] = $argv;
$client = new SoapClient($wsdl, [
    'login' => 'edms', 'password' => $key, 'cache_wsdl' => WSDL_CACHE_NONE, 'exceptions' => true,
    'soap_version' => $version === '1.2' ? SOAP_1_2 : SOAP_1_1, 'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
]);
$inbox = $client->ListInbox(['limit' => 200]);
$fetched = $client->FetchMessage(['messageId' => $message]);
$taken = $client->Acknowledge([
    'messageId' => $message, 'contentType' => 'application/json', 'content' => file_get_contents($receipt),
]);
$again = $client->SubmitEnvelope(['contentType' => 'application/json', 'content' => file_get_contents($receipt)]);
$state = $client->GetStatus(['caseId' => $taken->caseId]);
try {
    $client->FetchMessage(['messageId' => '00000000-0000-7000-8000-000000000000']);
    $fault = null;
} catch (SoapFault $caught) {
    $fault = ['code' => $caught->faultcode, 'text' => $caught->faultstring, 'detail' => $caught->detail->Refusal->code];
}
echo json_encode([
    'inbox' => array_map(fn($m) => $m->messageId, $inbox->message ?? []), 'content_type' => $fetched->contentType,
    'content' => base64_encode($fetched->content), 'repeat' => [$taken->repeat, $again->repeat],
    'state' => $state->state, 'number' => $state->number, 'fault' => $fault,
], JSON_UNESCAPED_UNICODE);
