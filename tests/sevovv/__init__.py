"""SEV OVV 2.0: messages, client, server, and a document system written from the official WSDL alone."""
