# --- how steps are run: the same for every plan ---------------------------------------------------------------------------------------

if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 501)); then
    printf 'rollout: needs bash 5.1 or later\n' >&2
    exit 2
fi

hosts=() guests=() steps=()
declare -A address old_kernel path kernel_now where
declare -a id kind wave after what from to note lasts
declare -A failures

host() { # NAME ADDRESS KERNEL: a host of the plan, and what it runs before its upgrade
    hosts+=("$1")
    address[$1]=$2
    old_kernel[$1]=$3
}

guest() { # NAME HOST...: a guest, and the hosts that it is on, one after the other
    guests+=("$1")
    local name=$1 IFS=$'\x1f'
    shift
    path[$name]=$*
}

step() { # NUMBER ID KIND WAVE AFTER WHAT FROM TO SECONDS NOTE
    steps+=("$1")
    id[$1]=$2 kind[$1]=$3 wave[$1]=$4 after[$1]=$5 what[$1]=$6 from[$1]=$7 to[$1]=$8 lasts[$1]=$9 note[$1]=${10}
}

say() { printf '%(%F %T)T %s\n' -1 "$*" >&2; }

die() {
    printf 'rollout: %s\n' "$*" >&2
    exit 2
}

has() { declare -F "$1" >/dev/null; }

act() { # runs a command, or says it if nothing is to be done
    if ((dry)); then
        printf '%q ' "$@"
        printf '\n'
    else
        "$@"
    fi
}

is_done() { [ -e "$state/done/$1" ]; }

mark() { ((dry)) || : >"$state/done/$1"; }

# Where a guest stands on its way: the number of moves behind it, or nothing if it is on no host of its way.
moves_behind() {
    local place number=0 IFS=$'\x1f'
    for place in ${path[$1]}; do
        if [ "$place" = "${where[$1]-}" ]; then
            printf '%s' "$number"
            return
        fi
        number=$((number + 1))
    done
}

look() { # what the fleet is like; prints what does not fit the plan
    local name place other n
    for name in "${hosts[@]}"; do
        if ! kernel_now[$name]=$(kernel_of "$name" </dev/null); then
            printf 'host %s cannot be asked for its kernel\n' "$name"
        elif [ "${kernel_now[$name]}" != "${old_kernel[$name]}" ] && [ "${kernel_now[$name]}" != "$target_kernel" ]; then
            printf 'host %s runs %s, which is neither %s nor %s\n' "$name" "${kernel_now[$name]}" "${old_kernel[$name]}" "$target_kernel"
        fi
        while IFS= read -r other; do
            [ -n "$other" ] || continue
            if [ -n "${where[$other]-}" ] && [ -n "${path[$other]-}" ]; then
                printf 'guest %s runs on %s and on %s\n' "$other" "${where[$other]}" "$name"
            fi
            where[$other]=$name
        done < <(running_on "$name" </dev/null)
    done
    for name in "${guests[@]}"; do
        if [ -z "${where[$name]-}" ]; then
            restarts "$name" || printf 'guest %s runs on no host of the plan\n' "$name"
        elif [ -z "$(moves_behind "$name")" ]; then
            printf 'guest %s is on %s, where the plan never has it\n' "$name" "${where[$name]}"
        fi
    done
    for n in "${steps[@]}"; do
        place=${from[$n]}
        if [ "${kind[$n]}" = migrate ] && ! is_done "$n" && [ "${where[${what[$n]}]-}" = "$place" ] && upgraded_in "$place" "${wave[$n]}"; then
            printf 'host %s has been upgraded, but guest %s is still on it\n' "$place" "${what[$n]}"
        fi
    done
}

restarts() { # GUEST: whether the plan stops it
    local n
    for n in "${steps[@]}"; do
        [ "${kind[$n]}" = stop ] && [ "${what[$n]}" = "$1" ] && return 0
    done
    return 1
}

upgraded_in() { # HOST WAVE: whether the host's upgrade in this wave is behind it
    local n
    [ "${old_kernel[$1]-$target_kernel}" != "$target_kernel" ] && [ "${kernel_now[$1]-}" = "$target_kernel" ] || return 1
    for n in "${steps[@]}"; do
        [ "${kind[$n]}" = upgrade ] && [ "${what[$n]}" = "$1" ] && [ "${wave[$n]}" = "$2" ] && return 0
    done
    return 1
}

note_done() { # marks what the fleet shows to be done
    local n name behind turn
    local -A seen=()
    for n in "${steps[@]}"; do
        name=${what[$n]}
        case ${kind[$n]} in
        migrate)
            # A name never stands within (( )): bash before 5.2 would run the $( ) in it.
            turn=$((${seen[$name]-0} + 1))
            seen[$name]=$turn
            behind=$(moves_behind "$name")
            [ -n "$behind" ] && ((behind >= turn)) && mark "$n"
            ;;
        upgrade)
            [ "${old_kernel[$name]}" != "$target_kernel" ] && [ "${kernel_now[$name]-}" = "$target_kernel" ] && mark "$n"
            ;;
        esac
    done
}

attempt() { # NUMBER: a step, as often as policy allows
    local try
    for ((try = 0; try <= retries; try++)); do
        ((try == 0)) || say "again: ${id[$1]}"
        "do_${kind[$1]}" "$1" </dev/null && return 0
    done
    return 1
}

do_gate() {
    local approved="$state/approved-${id[$1]}"
    if [[ ${note[$1]} == *approv* ]] && [ ! -e "$approved" ] && ((!dry)); then
        say "gate ${id[$1]}: ${note[$1]}. To approve: touch ${approved@Q}, and run this again"
        return 1
    fi
    act sleep "${lasts[$1]}"
}

run_all() {
    local n earlier later running=0 stopped=0 finished status
    local -A waits=() followers=() number_of=()
    local -a ready=() failed=()
    for n in "${steps[@]}"; do
        is_done "$n" && continue
        waits[$n]=0
        for earlier in ${after[$n]}; do
            if ! is_done "$earlier"; then
                waits[$n]=$((waits[$n] + 1))
                followers[$earlier]+=" $n"
            fi
        done
        ((waits[$n])) || ready+=("$n")
    done
    while ((${#ready[@]} + running)); do
        while ((${#ready[@]} && running < parallel && !stopped)); do
            n=${ready[0]} ready=("${ready[@]:1}")
            say "begins: ${id[$n]}"
            attempt "$n" 8>&- &
            number_of[$!]=$n
            running=$((running + 1))
        done
        ((running)) || break
        wait -n -p finished
        status=$?
        n=${number_of[$finished]}
        running=$((running - 1))
        if ((status)); then
            failed+=("$n")
            failures[${wave[$n]}]=$((${failures[${wave[$n]}]-0} + 1))
            say "FAILED: ${id[$n]}; what waits for it is held"
            if [ "$on_failure" = stop ] || ((failures[${wave[$n]}] >= wave_stops_after)); then
                say "no further step begins"
                stopped=1
            fi
            continue
        fi
        mark "$n"
        for later in ${followers[$n]-}; do
            waits[$later]=$((waits[$later] - 1))
            ((waits[$later])) || ready+=("$later")
        done
    done
    report "${failed[@]}"
}

report() { # FAILED...: what is left
    local n left=0
    for n in "${steps[@]}"; do
        is_done "$n" || left=$((left + 1))
    done
    ((dry)) && return 0
    say "$((${#steps[@]} - left)) of ${#steps[@]} steps are done, $# failed"
    ((left == 0))
}

main() {
    dry=0
    case ${1-} in
    "") ;;
    --dry-run) dry=1 ;;
    --check) ;;
    *) die "usage: $0 [--check | --dry-run]" ;;
    esac
    ready_to_run
    if [ -z "${1-}" ]; then
        mkdir -p "$state/done" || die "cannot write to $state"
        exec 8>"$state/lock"
        flock -n 8 || die "another run is under way ($state/lock)"
    fi
    local problems
    problems=$(mktemp) || die "no temporary file"
    look >"$problems"
    if [ -s "$problems" ]; then
        printf 'rollout: the fleet is in no state on the way of this plan:\n' >&2
        sed 's/^/  /' "$problems" >&2
        rm -f "$problems"
        exit 4
    fi
    rm -f "$problems"
    [ "${1-}" = --check ] && exit 0
    note_done
    run_all
}
