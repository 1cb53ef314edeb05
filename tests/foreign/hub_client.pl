# An authority's system in Perl (SOAP::Lite, without a WSDL): the same as hub_client.php. Qualifies the operation only.
use strict;
use warnings;
use JSON::PP;
use MIME::Base64;
use SOAP::Lite;

my ($wsdl, $key, $message, $receipt, $version) = @ARGV;
(my $url = $wsdl) =~ s/\?wsdl$//;
SOAP::Lite->soapversion($version);
my $client = SOAP::Lite->new(proxy => $url)->ns('urn:ua:appeal-hub:soap:1', 'h')->autotype(0);
$client->on_action(sub { sprintf '"%s/%s"', @_ });
$client->transport->http_request->headers->authorization_basic('edms', $key);
$client->on_fault(sub { my ($soap, $answer) = @_; ref $answer ? $answer : die $soap->transport->status . "\n" });

sub content { local (@ARGV, $/) = ($receipt); my $data = <>; encode_base64($data, '') }
sub data { my %given = @_; map { SOAP::Data->name($_ => $given{$_}) } sort keys %given }
sub of { my ($answer, $path) = @_; scalar $answer->valueof("//$path") }

my $inbox = $client->call('ListInbox', data(limit => 200));
my $fetched = $client->call('FetchMessage', data(messageId => $message));
my %document = (contentType => 'application/json', content => content());
my $taken = $client->call('Acknowledge', data(messageId => $message, %document));
my $again = $client->call('SubmitEnvelope', data(%document));
my $state = $client->call('GetStatus', data(caseId => of($taken, 'caseId')));
my $fault = $client->call('FetchMessage', data(messageId => '00000000-0000-7000-8000-000000000000'));
die "no fault\n" unless $fault->fault;

sub truth { $_[0] eq 'true' ? JSON::PP::true : JSON::PP::false }
print encode_json({
    inbox => [$inbox->valueof('//message/messageId')], content_type => of($fetched, 'contentType'),
    content => of($fetched, 'content'), repeat => [map { truth(of($_, 'repeat')) } $taken, $again],
    state => of($state, 'state'), number => of($state, 'number'),
    fault => { detail => of($fault, 'Refusal/code') },
});
