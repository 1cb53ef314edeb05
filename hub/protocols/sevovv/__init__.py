"""SEV OVV 2.0 (СЕВ ОВВ), the state's exchange between document systems: its messages, its service, its error codes.

What the client (dialect ``sevovv`` of the adapter ``soap``), the server (``/soap/IntegrationService``) and the
simulated node share. Messages are 1207/1.5 ``Header`` documents; files inside them are never held in memory whole.
Pure except where bytes flow through a port: no store, no registry, no decision about a case enters here.

Source of all facts: the regulation of 2019 (Регламент взаємодії СЕВ ОВВ 2.0 з СЕД) with its annexes (WSDL, schema).
"""
