# bash completion for asyncleak-top(8)

_asyncleak_top() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local common='-h --help -d --delay -n --iterations -b --batch --json -q --quiet -s --sort -l --limit --no-color --prom-textfile
    --stack-depth --max-tasks --max-sites --census-budget -m --memory --memory-lines --min-size --max-blocks
    --overhead-limit -r --record --record-limit --label --duration --slow-step --fail-on --allow --allow-file
    --min-confidence --summary --warn-tasks --warn-rss --verbose'
  local replay='-h --help -d --delay -n --iterations -b --batch --json -q --quiet -s --sort -l --limit --no-color --prom-textfile
    --speed --from --to --fail-on --allow --allow-file --min-confidence --summary --warn-tasks --warn-rss'
  local diff='-h --help --from --to --json -l --limit --no-color'
  local inspect='-h --help --json --task --coroutine --older --locals --redact -l --limit --no-color'
  local columns='pid comm kind coroutine outstanding pending done growth created_per_s destroyed_per_s oldest median
    bytes allocated_growth blocks held verdict confidence created_total created_at'
  local command='' word i
  COMPREPLY=()

  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ $word == -- ]]; then  # somebody else's command line from here on
      if declare -F _command_offset > /dev/null; then
        _command_offset $((i + 1))
      else
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
      fi
      return
    fi
    [[ $word == run || $word == inspect || $word == replay || $word == diff || $word == doctor ]] && command=$word
  done

  case $previous in
    -s | --sort) mapfile -t COMPREPLY < <(compgen -W "$columns" -- "$current") ;;
    -m | --memory) mapfile -t COMPREPLY < <(compgen -W 'objects malloc all' -- "$current") ;;
    --fail-on) mapfile -t COMPREPLY < <(compgen -W 'leak warning never' -- "$current") ;;
    --summary) mapfile -t COMPREPLY < <(compgen -W 'table json junit github none' -- "$current") ;;
    --prom-textfile | -r | --record | --allow-file)
      compopt -o filenames 2> /dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      ;;
    -p | --pid) mapfile -t COMPREPLY < <(compgen -W "$(_asyncleak_top_pids)" -- "$current") ;;
    -c | --comm | -d | --delay | -n | --iterations | -l | --limit | --stack-depth | --max-tasks | --max-sites | \
      --census-budget | --min-size | --max-blocks | --overhead-limit | --warn-tasks | --warn-rss | --task | --coroutine | --older | \
      --record-limit | --label | --duration | --slow-step | --allow | --min-confidence | --speed | --from | --to) ;;
    *)
      case $command in
        run) mapfile -t COMPREPLY < <(compgen -W "$common --" -- "$current") ;;
        inspect) mapfile -t COMPREPLY < <(compgen -W "$inspect $(_asyncleak_top_pids)" -- "$current") ;;
        replay | diff)
          compopt -o filenames 2> /dev/null
          mapfile -t COMPREPLY < <(compgen -W "${!command}" -- "$current"; compgen -f -- "$current")
          ;;
        doctor) mapfile -t COMPREPLY < <(compgen -W "-h --help $(_asyncleak_top_pids)" -- "$current") ;;
        *) mapfile -t COMPREPLY < <(compgen -W "run inspect replay diff doctor -V --version -p --pid -c --comm $common \
             $(_asyncleak_top_pids)" -- "$current") ;;
      esac
      ;;
  esac
}

# Processes whose name speaks of Python; the others are typed.
_asyncleak_top_pids() {
  local comm name
  for comm in /proc/[0-9]*/comm; do
    { read -r name < "$comm"; } 2> /dev/null || continue
    [[ $name == *python* || $name == uvicorn* || $name == gunicorn* ]] && comm=${comm#/proc/} && echo "${comm%/comm}"
  done
}

complete -F _asyncleak_top asyncleak-top
