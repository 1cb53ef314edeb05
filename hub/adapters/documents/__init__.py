"""Documents in an authority's own form: JSON, XML, CSV; written from a mapping's values, read by its places.

``forms`` names the three, ``section`` is what every section ``template`` with documents has, ``names`` makes names of
files, ``statements`` hands over what a document of theirs says. How a document travels is its adapter's matter: no
connection, no folder and no mailbox may enter.
"""
