# An answer with a file as a part, by SOAP::Lite and MIME::Entity: with a preamble, as they write it.
use strict;
use warnings;
use Digest::SHA;
use JSON::PP;
use MIME::Base64;
use MIME::Entity;
use SOAP::Lite;

my ($wsdl, $key, $answer, $photo) = @ARGV;
(my $url = $wsdl) =~ s/\?wsdl$//;
my $part = MIME::Entity->build(
    Path => $photo, Type => 'image/png', Encoding => 'base64', Id => '<photo@edms>', Disposition => 'attachment',
);
my $client = SOAP::Lite->new(proxy => $url)->ns('urn:ua:appeal-hub:soap:1', 'h')->autotype(0)->parts([$part]);
$client->on_action(sub { sprintf '"%s/%s"', @_ });
$client->transport->http_request->headers->authorization_basic('edms', $key);

open my $file, '<:raw', $answer or die $!;
my $content = do { local $/; <$file> };
my $sha256 = Digest::SHA->new(256)->addfile($photo, 'b')->hexdigest;
my $taken = $client->call(
    'SubmitEnvelope',
    SOAP::Data->name(contentType => 'application/json'),
    SOAP::Data->name(content => encode_base64($content, '')),
    SOAP::Data->name(file => \SOAP::Data->value(
        SOAP::Data->name(sha256 => $sha256), SOAP::Data->name(mediaType => 'image/png'),
        SOAP::Data->name(reference => 'cid:photo%40edms'),
    )),
);
die $taken->faultstring . "\n" if $taken->fault;
my $repeat = $taken->valueof('//repeat') eq 'true' ? JSON::PP::true : JSON::PP::false;
print encode_json({ caseId => scalar $taken->valueof('//caseId'), repeat => $repeat });
