#!/bin/sh
# Finds a Python that is new enough and lets scripts/environment.py make or refresh .venv with it.
set -eu
cd "${0%/*}/.."

for python in ${PYTHON:-} python3.11 python3 python3.12 python3.13 python3.14; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        exec "$python" scripts/environment.py
    fi
done

echo "Entraide a besoin de Python 3.11 ou plus récent ; aucun n’a été trouvé." >&2
echo "Entraide needs Python 3.11 or newer; none was found." >&2
exit 1
