# What the shell scripts beside it share: checks of one command each, and their count. To be sourced.
#
# A check calls `client`, which the script defines: its program, with a time limit.

PASSED=0 FAILED=0
OUT=$WORK/answer

passed() { PASSED=$((PASSED + 1)); echo "ok      $1"; }
failed() { FAILED=$((FAILED + 1)); echo "FAILED  $1: $2"; head -12 "$OUT" | sed 's/^/        /'; }

# check NAME PATTERN ARGS...: the client succeeds and prints a line that matches; without a pattern, anything or nothing.
check() {
    local name=$1 pattern=$2; shift 2
    if client "$@" >"$OUT" 2>&1 && { [ -z "$pattern" ] || grep -Eq -- "$pattern" "$OUT"; }; then
        passed "$name"
    else
        failed "$name" "$* (wanted: $pattern)"
    fi
}

# refuse NAME PATTERN ARGS...: the client fails and says why.
refuse() {
    local name=$1 pattern=$2; shift 2
    if ! client "$@" >"$OUT" 2>&1 && grep -Eq -- "$pattern" "$OUT"; then
        passed "$name"
    else
        failed "$name" "$* (wanted a refusal: $pattern)"
    fi
}

# The last line of a script.
summary() { echo "$PASSED passed, $FAILED failed"; [ "$FAILED" -eq 0 ]; }
