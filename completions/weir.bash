# shellcheck shell=bash
# weir.bash: completes the weir command in bash.
#
# Uses     complete, compgen and compopt of bash 4.4; the bash-completion package is not needed.
# Whether it knows every option, fault and setting of the program is found by ./dev lint docs.
# Try it:  . completions/weir.bash; packages install it as share/bash-completion/completions/weir.

_weir() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local verb=${COMP_WORDS[1]:-}
    local settings=
    local name
    for name in name delivery trigger batch_rows batch_bytes output_partitions partition_by \
        retry_limit log.segment_bytes log.retain_bytes log.write_limit log.allow_not_durable; do
        settings+="pipeline.$name= "
    done
    COMPREPLY=()

    if ((COMP_CWORD == 1)); then
        _weir_words 'run validate check explain ddl wal prove reference version --help --version' "$word"
        return
    fi
    case $before in
        --data | --dir | --disk-full-dir)
            _weir_paths -d "$word"
            return
            ;;
        --mode)
            _weir_words 'exactly_once at_least_once at_most_once' "$word"
            return
            ;;
        --report | --json | --pipeline)
            _weir_paths -f "$word"
            return
            ;;
        --faults)
            _weir_words 'all net kill kill-start kill-drain fail-point freeze dir-lost dir-old dir-cloned
                disk-full pg-cut pg-restart kafka-restart net-reset-broker net-close-broker
                net-black-hole-broker net-no-replies-broker net-no-requests-broker net-delay-broker
                net-trickle-broker net-refuse-broker net-hang-broker net-flap-broker net-hold-broker
                net-change-broker net-reset-database net-close-database net-black-hole-database
                net-no-replies-database net-no-requests-database net-delay-database net-trickle-database
                net-refuse-database net-hang-database net-flap-database net-hold-database
                net-change-database' "$word"
            return
            ;;
        --set)
            compopt -o nospace
            _weir_words "$settings" "$word"
            return
            ;;
    esac
    # bash splits at "=": after `--set pipeline.delivery=` the words are NAME, "=" and the value.
    if [[ $before == '=' && ${COMP_WORDS[COMP_CWORD - 2]} == pipeline.delivery ]]; then
        _weir_words 'exactly_once at_least_once at_most_once' "$word"
        return
    fi
    if [[ $before == '=' && ${COMP_WORDS[COMP_CWORD - 2]} == pipeline.partition_by ]]; then
        _weir_words 'key source_partition' "$word"
        return
    fi
    case $verb in
        run)
            case $word in
                -*) _weir_words '--data --set --until-caught-up --no-progress --help' "$word" ;;
                *) _weir_pipelines "$word" ;;
            esac
            ;;
        validate | check | explain | ddl)
            case $word in
                -*) _weir_words '--set --help' "$word" ;;
                *) _weir_pipelines "$word" ;;
            esac
            ;;
        prove)
            _weir_words '--brokers --dsn --mode --kills --faults --seed --rows --report --json
                --pipeline --external --pg-restart --kafka-restart --disk-full-dir --dir --no-progress
                --help' "$word"
            ;;
        wal)
            if ((COMP_CWORD == 2)); then
                _weir_words 'dump verify stat repair --help' "$word"
            elif [[ $word == -* ]]; then
                case ${COMP_WORDS[2]} in
                    dump | stat) _weir_words '--json --help' "$word" ;;
                    repair) _weir_words '--yes --help' "$word" ;;
                    *) _weir_words '--help' "$word" ;;
                esac
            else
                _weir_paths -d "$word"
            fi
            ;;
    esac
}

# _weir_words LIST WORD
_weir_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2"); }

# _weir_paths KIND WORD: directories (-d) or files (-f); a name with blanks stays one word.
_weir_paths() {
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen "$1" -- "$2")
}

# _weir_pipelines WORD: files of SQL, and directories on the way to them.
_weir_pipelines() {
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -f -X '!*.sql' -- "$1"; compgen -d -- "$1")
}

complete -F _weir weir
