#!/bin/sh
# Verifies this bundle with programs that others wrote: sha256sum, jose, xmlsec1 (Debian: coreutils, jose, xmlsec1).
# Run it in the unpacked folder. It ends with 0 if everything holds. What it cannot tell you is whose the keys are:
# compare their fingerprints (README.md) with what the parties tell you by another way.
cd "$(dirname "$0")" || exit 2
failed=0
holds() {
    what=$1
    shift
    if sh -c "$*" >/dev/null 2>&1; then echo "holds:  $what"; else echo "FAILED: $what"; failed=1; fi
}
{{checks}}
exit $failed
