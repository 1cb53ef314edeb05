"""Room of the SOAP adapter: our own WSDL, SEV OVV, Trembita and any WSDL with a mapping come with later issues, so
there is nothing here yet but the room. Its transport will be the guarded HTTP client; zeep's own must not enter.
"""
