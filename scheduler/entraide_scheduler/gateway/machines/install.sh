#!/bin/sh
# Installs Entraide on this machine from its pool, joins the pool, and starts the agent.
# Run again, it updates the installation in place.
#
#   install.sh [--cacert FILE] [--root sha256:...] LINK [OPTIONS of `entraide node join`]
#
# A machine without Python 3.11 or newer gets the build of the pool's mirror for its platform; until
# then the script needs the system's own commands only, with tar, gzip and curl.
#
# Every file comes from the pool in LINK. Where LINK has a pin, curl checks the server's key
# against it; else it checks the certificate as always, or against FILE. Python is unpacked, and pip
# gets files, only after their SHA-256 was found right; pip asks no index.
# Where the pool repeats a signed release, `entraide node upgrade` verifies it: after a first
# installation, which is as true as the root's fingerprint (--root); before pip gets a file, wherever
# this machine knows a release already. Such a machine keeps its Python.
set -eu

say() { # FRENCH ENGLISH
    if [ "$lang" = en ]; then printf '%s\n' "$2"; else printf '%s\n' "$1"; fi
}

fail() { # FRENCH ENGLISH
    say "$1" "$2" >&2
    exit 1
}

choose_language() { # as sdk/entraide/language.py: the first variable that is set decides
    lang=fr
    for tag in "${ENTRAIDE_LANG:-}" "${LC_ALL:-}" "${LC_MESSAGES:-}" "${LANG:-}"; do
        if [ -n "$tag" ]; then
            case $tag in [eE][nN]*) lang=en ;; esac
            return
        fi
    done
}

read_link() { # sets url, token and pin
    url=${link%%#*}
    url=${url%/}
    url=${url%/install}
    secret=
    case $link in *'#'*) secret=${link#*#} ;; esac
    token=${secret%%.*}
    pin=
    case $secret in *.*.*) pin=${secret##*.} ;; esac
    case $url$secret in *[!]A-Za-z0-9.:/_%[-]*) refuse_link ;; esac
    case $url in https://?*) ;; *) refuse_link ;; esac
    case ${#token} in 0) ;; *) [ ${#token} -ge 37 ] || refuse_cut ;; esac
    fingerprint=
    case $secret in *.*) fingerprint=${secret#*.} fingerprint=${fingerprint%%.*} ;; esac
    case ${#fingerprint} in 0 | 64) ;; *) refuse_cut ;; esac
    if [ -n "$pin" ]; then
        [ ${#pin} -eq 43 ] || refuse_cut
        pin=$(printf '%s=' "$pin" | tr '_-' '/+')
    fi
}

refuse_link() {
    fail "« ${link} » n’est pas le lien d’une invitation ; recopiez la ligne entière, guillemets compris." \
        "'$link' is not the link of an invitation; copy the whole line again, quotes included."
}

refuse_cut() {
    fail "Le lien de l’invitation est coupé : il en manque la fin. Recopiez la ligne entière, ou demandez-en une nouvelle." \
        "The link of the invitation is cut: its end is missing. Copy the whole line again, or ask for a new one."
}

pool_curl() { # OPTIONS
    if [ -n "$pin" ]; then
        curl -fsS --proto '=https' --connect-timeout 15 --retry 2 --insecure --pinnedpubkey "sha256//$pin" "$@"
    elif [ -n "$ca" ]; then
        curl -fsS --proto '=https' --connect-timeout 15 --retry 2 --cacert "$ca" "$@"
    else
        curl -fsS --proto '=https' --connect-timeout 15 --retry 2 "$@"
    fi
}

fetch() { # NAME FILE
    try_fetch "$1" "$2" || fail "Le parc à $url n’offre pas $1 ; l’exploitant lance « entraide pool mirror »." \
        "The pool at $url does not offer $1; its operator runs 'entraide pool mirror'."
}

try_fetch() { # NAME FILE: returns 1 if the pool does not offer the file
    status=0
    answer=$(pool_curl -w '%{http_code}' -o "$2" "$url/install/wheels/$1") || status=$?
    case $status-$answer in
        0-*) ;;
        22-404) return 1 ;;
        60-* | 90-*) fail "Le serveur à $url n’est pas celui de l’invitation ; rien n’est installé." \
            "The server at $url is not the invitation's; nothing was installed." ;;
        28-*) fail "Le parc à $url ne répond pas : ce réseau retient peut-être les connexions vers ce port. Essayez d’un autre réseau, ou demandez à l’exploitant d’ouvrir le port 443." \
            "The pool at $url does not answer: this network may drop connections to that port. Try from another network, or ask the operator to open port 443." ;;
        *-*200) fail_download ;;
        *) fail "Le parc à $url ne répond pas ; réessayez plus tard." \
            "The pool at $url does not answer; try again later." ;;
    esac
}

fail_download() {
    fail 'Un téléchargement a échoué ; relancez la même ligne, qui reprend où elle en était.' \
        'A download failed; run the same line again, which continues where it stopped.'
}

describe_python() { # PROGRAM: prints the target whose wheels this Python needs
    "$1" -c '
import ensurepip, platform, sys, venv
if sys.version_info < (3, 11):
    raise SystemExit(1)
system = {"darwin": "macos"}.get(sys.platform, sys.platform)
print("%s-%s-%d.%d" % (system, platform.machine(), *sys.version_info[:2]))
' 2>/dev/null </dev/null
}

is_placeholder() { # PROGRAM: whether it is the one of macOS that asks to install developer tools
    [ "$(command -v "$1")" = /usr/bin/python3 ] && [ "$(uname -s)" = Darwin ] &&
        ! xcode-select -p >/dev/null 2>&1
}

find_python() { # sets python and target, from a program that is new enough and in the mirror
    python='' target='' seen=''
    frameworks=/Library/Frameworks/Python.framework/Versions
    for version in 3.13 3.12 3.11 3.14 3; do
        for name in "python$version" "/opt/homebrew/bin/python$version" \
            "/usr/local/bin/python$version" "$frameworks/$version/bin/python3"; do
            is_placeholder "$name" && continue
            found=$(describe_python "$name") || continue
            seen=$found
            if [ -z "$1" ] || grep -qx "$found" "$1"; then
                python=$name target=$found
                return
            fi
        done
    done
}

python_step() { # prints the one step that installs Python here
    system='' like='' version=''
    if [ -r /etc/os-release ]; then
        # shellcheck disable=SC1091
        system=$(. /etc/os-release && printf '%s' "${ID:-}")
        # shellcheck disable=SC1091
        like=$(. /etc/os-release && printf '%s' "${ID_LIKE:-}")
        # shellcheck disable=SC1091
        version=$(. /etc/os-release && printf '%s' "${VERSION_ID:-}")
    fi
    if [ "$(uname -s)" = Darwin ]; then
        if command -v brew >/dev/null 2>&1; then
            echo 'brew install python@3.13'
        else
            say 'installez Python 3.13 depuis https://www.python.org/downloads/macos/' \
                'install Python 3.13 from https://www.python.org/downloads/macos/'
        fi
        return
    fi
    case $system-$version/$like in
        ubuntu-22.04/*) echo 'sudo apt install python3.11-venv' ;;
        debian-* | ubuntu-* | *debian*) echo 'sudo apt install python3-venv' ;;
        fedora-* | *fedora* | *rhel*) echo 'sudo dnf install python3.12' ;;
        arch-* | */arch*) echo 'sudo pacman -S python' ;;
        *suse*) echo 'sudo zypper install python312' ;;
        *) say 'installez le paquet Python 3.11 ou plus récent de votre système' \
            'install the package of Python 3.11 or newer of your system' ;;
    esac
}

describe_platform() { # prints system and processor as the mirror names them
    machine=$(uname -m)
    case $(uname -s) in
        Darwin)
            [ "$(sysctl -n sysctl.proc_translated 2>/dev/null)" != 1 ] || machine=arm64
            printf 'macos-%s' "$machine"
            ;;
        Linux)
            [ "$(getconf LONG_BIT 2>/dev/null)" != 32 ] || machine=$machine-32bit
            case $(ldd --version 2>&1) in *musl*) machine=$machine-musl ;; esac
            printf 'linux-%s' "$machine"
            ;;
        *) printf '%s-%s' "$(uname -s)" "$machine" ;;
    esac
}

choose_python() { # sets python and target, and own for a build of the mirror
    own=
    find_python "$work/targets"
    [ -z "$python" ] || return 0
    platform=$(describe_platform)
    try_fetch pythons.txt "$work/pythons" || : >"$work/pythons"
    while read -r name version hash size file; do
        [ "$name" = "$platform" ] || continue
        is_build || continue
        grep -qxF "$platform-$version" "$work/targets" || continue
        target=$platform-$version own=$pythons/$(printf %.16s "$hash") python=$own/bin/python3
        [ "$(describe_python "$python" || :)" = "$target" ] || download_build
        return 0
    done <"$work/pythons"
    if [ -n "$seen" ] || ! grep -q "^$platform-" "$work/targets"; then
        seen=${seen:-$platform}
        fail "Le miroir du parc n’a rien pour cette machine ($seen), mais pour : $(tr '\n' ' ' <"$work/targets"). Demandez à l’exploitant de l’ajouter." \
            "The pool's mirror has nothing for this machine ($seen), but for: $(tr '\n' ' ' <"$work/targets"). Ask the operator to add it."
    fi
    fail "Entraide a besoin de Python 3.11 ou plus récent, avec venv ; cette machine ($platform) n’en a pas, et le miroir du parc n’en a pas pour elle. Une étape y remédie, ou l’exploitant du parc avec « entraide pool mirror » ; puis relancez la même ligne :
    $(python_step)" \
        "Entraide needs Python 3.11 or newer, with venv; this machine ($platform) has none, and the pool's mirror has none for it. One step mends that, or the pool's operator with 'entraide pool mirror'; then run the same line again:
    $(python_step)"
}

is_build() { # whether hash, size and file are what a line of the mirror's list has
    case $hash in *[!0-9a-f]*) return 1 ;; esac
    case $size in '' | 0* | *[!0-9]*) return 1 ;; esac
    case $file in [!A-Za-z0-9_]* | *[!A-Za-z0-9_.+-]*) return 1 ;; esac
    [ ${#hash} -eq 64 ] && [ ${#size} -le 9 ]
}

download_build() { # puts the build of the mirror into the folder $own
    say "Cette machine n’a pas Python 3.11 ou plus récent ; téléchargement de celui du parc (Python $version, $((size / 1000000 + 1)) Mo)…" \
        "This machine has no Python 3.11 or newer; downloading the pool's (Python $version, $((size / 1000000 + 1)) MB)…"
    fetch "$file" "$work/python.tar.gz"
    if ! is_whole "$work/python.tar.gz" "$hash"; then
        fail "La somme de contrôle de $file est fausse ; le fichier est supprimé, rien n’est installé." \
            "The checksum of $file is wrong; the file was deleted, nothing was installed."
    fi
    mkdir -p "$pythons"
    rm -rf "$pythons"/.new-* # of a run that was killed
    unpacked=$(mktemp -d "$pythons/.new-XXXXXX")
    tar -xzof "$work/python.tar.gz" -C "$unpacked" ||
        fail "Python n’a pas pu être dépaqueté dans ${pythons} ; voyez le message plus haut." \
            "Python could not be unpacked in $pythons; see the message above."
    if [ "$(describe_python "$unpacked/python/bin/python3" || :)" != "$target" ]; then
        fail "Le Python du parc ne fonctionne pas sur cette machine ($platform) ; rien n’est installé. Une étape y remédie, puis relancez la même ligne :
    $(python_step)" \
            "The pool's Python does not run on this machine ($platform); nothing was installed. One step mends that; then run the same line again:
    $(python_step)"
    fi
    rm -rf "$own"
    mv "$unpacked/python" "$own"
}

sha256_of() { # FILE
    if command -v sha256sum >/dev/null 2>&1; then
        sha256sum "$1" | cut -d ' ' -f 1
    else
        shasum -a 256 "$1" | cut -d ' ' -f 1
    fi
}

is_whole() { # FILE SHA256
    [ -f "$1" ] && [ "$(sha256_of "$1")" = "$2" ]
}

list_files() { # prints SHA256 and name of each wheel of the requirements
    sed -n 's/^[^ ]* --hash=sha256:\([0-9a-f]\{64\}\) # \([A-Za-z0-9_][A-Za-z0-9_.+-]*\)$/\1 \2/p' \
        "$requirements"
}

download_wheels() { # into the folder $wheels, the wheels of the requirements and no other file
    fetch "$target.txt" "$requirements"
    list_files >"$work/files"
    : >"$work/wanted"
    mkdir -p "$wheels"
    while read -r hash file; do
        is_whole "$wheels/$file" "$hash" && continue
        rm -f "$wheels/$file"
        printf 'url = "%s"\noutput = "%s"\n' "$url/install/wheels/$file" "$file" >>"$work/wanted"
    done <"$work/files"
    number=$(grep -c '^url' "$work/wanted") || :
    if [ "$number" != 0 ]; then
        say "Téléchargement de $number fichiers depuis le parc…" \
            "Downloading $number files from the pool…"
        (cd "$wheels" && pool_curl -K "$work/wanted") ||
            fail_download
    fi
    while read -r hash file; do
        is_whole "$wheels/$file" "$hash" && continue
        rm -f "$wheels/$file"
        fail "La somme de contrôle de $file est fausse ; le fichier est supprimé, rien n’est installé." \
            "The checksum of $file is wrong; the file was deleted, nothing was installed."
    done <"$work/files"
    for file in "$wheels"/*; do
        grep -q " ${file##*/}\$" "$work/files" || rm -f "$file"
    done
}

environment_fits() { # whether the environment runs on the Python that was chosen
    [ "$(describe_python "$environment/bin/python" || :)" = "$target" ] || return 1
    case $("$environment/bin/python" -c 'import sys; print(sys.base_prefix)' </dev/null) in
        */entraide/python/*"${own##*/}") [ -n "$own" ] ;;
        */entraide/python/*) return 1 ;;
    esac
}

make_environment() {
    if ! environment_fits; then
        "$python" -m venv --clear "$environment" </dev/null
    fi
    grep '^entraide==' "$requirements" >"$work/own.txt"
    install_wheels -r "$requirements"
    install_wheels --force-reinstall -r "$work/own.txt" # the same version may have other content
    mkdir -p "$HOME/.local/bin"
    if [ -L "$command" ] || [ ! -e "$command" ]; then
        ln -sf "$environment/bin/entraide" "$command"
    fi
}

install_wheels() { # OPTIONS
    "$environment/bin/python" -m pip --isolated --disable-pip-version-check install --quiet \
        --require-hashes --no-index --no-deps --find-links "$wheels" "$@" </dev/null ||
        fail "pip n’a pas pu installer les fichiers téléchargés ; voyez son message plus haut." \
            "pip could not install the downloaded files; see its message above."
}

own_entraide() { # WORDS
    "$environment/bin/entraide" --lang "$lang" "$@" </dev/null
}

remove_other_builds() { # those of the mirror in which no environment runs any more
    for folder in "$pythons"/*; do
        [ -d "$folder" ] && [ "$folder" != "$own" ] || continue
        cat "$environment/pyvenv.cfg" "$data"/engines/*/pyvenv.cfg 2>/dev/null |
            grep -qF "/entraide/python/${folder##*/}/" || rm -rf "$folder"
    done
}

has_release() { # whether the pool repeats a signed release, or must
    [ -n "$root" ] || [ -e "$trusted" ] || pool_curl -o "$work/timestamp" "$url/install/wheels/timestamp.json" 2>/dev/null
}

verify_release() { # installs what is signed
    own_entraide node upgrade "$link" ${ca:+--ca "$ca"} ${root:+--root "$root"} --no-restart
}

has_verifier() { # whether the environment that is here can verify a release
    [ -n "$(describe_python "$environment/bin/python" || :)" ] &&
        own_entraide node upgrade --help >/dev/null 2>&1
}

install_release() {
    own=
    if [ -e "$trusted" ] && has_verifier; then
        verify_release || exit 1 # the program that is here has said why
        return
    fi
    [ ! -e "$trusted" ] || say "Cet environnement est fait à neuf : ses fichiers sont vérifiés après leur installation." \
        "This environment is made anew: its files are verified after their installation."
    fetch targets.txt "$work/targets"
    choose_python
    mkdir -p "$data"
    download_wheels
    say "Installation dans ${environment}…" "Installing into ${environment}…"
    make_environment
    has_release || return 0
    verify_release && return
    rm -rf "$environment"
    fail "La version que répète ce parc n’est pas signée comme il faut ; l’environnement est supprimé." \
        "The release that this pool repeats is not signed as it must be; the environment was deleted."
}

join_or_restart() { # OPTIONS of `entraide node join`
    printf '%s' "$link" >"$work/link"
    used=$(sha256_of "$work/link")
    if [ -n "$token" ] && [ "$used" != "$(cat "$data/joined-by" 2>/dev/null)" ]; then
        own_entraide node join "$link" ${ca:+--ca "$ca"} "$@" || exit 1
        printf '%s\n' "$used" >"$data/joined-by"
        return
    fi
    case $(own_entraide node service status --json 2>/dev/null) in
        *'"absent"'* | '') say "Relancez l’agent : entraide node run" \
            "Start the agent again: entraide node run" ;;
        *) own_entraide node service install ;; # an older one may lead to another environment
    esac
}

wait_for_agent() { # the agent says within seconds whether the pool has it
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        case $(own_entraide node status --json 2>/dev/null) in
            *'"starting"'* | *'"connecting"'*) sleep 1 ;;
            *) return ;;
        esac
    done
}

clean_up() {
    rm -rf "$work" ${unpacked:+"$unpacked"}
    rmdir "$pythons" "$data" 2>/dev/null || : # as long as they are empty
}

main() {
    choose_language
    ca='' root=''
    while :; do
        case ${1:-} in
            --cacert) ca=${2:-} ;;
            --root) root=${2:-} ;;
            *) break ;;
        esac
        [ $# -ge 2 ] || refuse_link
        shift 2
    done
    link=${1:-}
    [ $# -eq 0 ] || shift
    read_link
    data=${XDG_DATA_HOME:-$HOME/.local/share}/entraide
    [ "$(uname -s)" != Darwin ] || data="$HOME/Library/Application Support/entraide"
    environment=$data/environment wheels=$data/wheels pythons=$data/python
    command=$HOME/.local/bin/entraide
    trusted=$data/node/release-trusted
    if [ -z "$token" ] && [ ! -e "$data/node/node.toml" ]; then
        fail "Cette machine n’a rejoint aucun parc ; demandez une invitation à l’exploitant du parc." \
            "This machine has joined no pool; ask the pool's operator for an invitation."
    fi
    work=$(mktemp -d) unpacked=
    trap clean_up EXIT
    trap 'exit 130' HUP INT TERM
    requirements=$work/requirements.txt
    say "Connexion au parc à ${url} ; l’attente dure une minute au plus…" \
        "Connecting to the pool at $url; the wait takes a minute at most…"
    install_release
    join_or_restart "$@"
    remove_other_builds
    case :$PATH: in
        *":$HOME/.local/bin:"*) ;;
        *) say "La commande est $command. Pour que « entraide » suffise, tapez cette ligne, et ajoutez-la au fichier de démarrage de votre interpréteur :" \
            "The command is $command. For \"entraide\" alone to be enough, type this line, and add it to your shell's start file:"
            printf '    export PATH="$HOME/.local/bin:$PATH"\n' ;;
    esac
    wait_for_agent
    own_entraide node doctor || :
}

main "$@"
