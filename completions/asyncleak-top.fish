# fish completion for asyncleak-top(8)

set -l command complete -c asyncleak-top
set -l live -n 'not __fish_seen_subcommand_from run inspect doctor'
set -l watching -n 'not __fish_seen_subcommand_from inspect doctor; and not contains -- -- (commandline -opc)'
set -l looking -n '__fish_seen_subcommand_from inspect'
set -l columns pid comm kind coroutine outstanding pending done growth created_per_s destroyed_per_s oldest median \
    bytes allocated_growth blocks held verdict created_total created_at

$command -f
$command -n __fish_use_subcommand -a run -d 'Start CMD and watch it and its children'
$command -n __fish_use_subcommand -a inspect -d 'One look at one process'
$command -n __fish_use_subcommand -a doctor -d 'Can this machine, or process, be observed'
$command -n 'not __fish_seen_subcommand_from run' -a '(__fish_complete_pids)'
$command -n '__fish_seen_subcommand_from run; and contains -- -- (commandline -opc)' \
    -a '(__fish_complete_subcommand --fcs-skip=3)'

$command -s h -l help -d 'Print the options'
$command $live -s V -l version -d 'Print the version'
$command $live -s p -l pid -x -a '(__fish_complete_pids)' -d 'Only these processes'
$command $live -s c -l comm -x -d 'Only processes whose name matches'
$command $watching -s d -l delay -x -d 'Seconds between refreshes'
$command $watching -s n -l iterations -x -d 'Stop after N refreshes'
$command $watching -s b -l batch -d 'Plain text frames'
$command $watching -l json -d 'One JSON object per refresh'
$command $watching -s s -l sort -x -a "$columns" -d 'Order of the rows'
$command $watching -s l -l limit -x -d 'Rows shown; 0 is all that fit'
$command $watching -l no-color -d 'No colours'
$command $watching -l prom-textfile -r -F -d 'Write metrics at every refresh'
$command $watching -l stack-depth -x -d 'Python frames kept per creation site'
$command $watching -l max-tasks -x -d 'Outstanding tasks tracked'
$command $watching -l max-sites -x -d 'Creation sites tracked'
$command $watching -l census-budget -x -d 'Percent of one core for looking at memory'
$command $watching -s m -l memory -x -a 'objects malloc all' -d 'Charge allocated bytes to tasks'
$command $watching -l memory-lines -d 'Tell the allocating lines apart'
$command $watching -l min-size -x -d 'Leave out smaller allocations'
$command $watching -l max-blocks -x -d 'Allocations followed to their end'
$command $watching -l overhead-limit -x -d 'Stop counting above so many percent of one core'
$command $watching -l fail-on -x -a 'leak warning never' -d 'Exit 1 when such a finding stood at the end'
$command $watching -l warn-tasks -x -d 'overload above so many tasks'
$command $watching -l warn-rss -x -d 'rss-growth above so many percent'
$command $watching -l verbose -d 'Say how each interpreter was understood'

$command $looking -l json -d 'One JSON object'
$command $looking -l task -x -d 'Only the task of that name or address'
$command $looking -l coroutine -x -d 'Only tasks whose coroutine matches'
$command $looking -l older -x -d 'Only tasks at least that old, in seconds'
$command $looking -l locals -d 'Show the values of local variables'
$command $looking -l redact -d 'Of text and numbers the type and length only'
$command $looking -s l -l limit -x -d 'Tasks listed; 0 is all'
$command $looking -l no-color -d 'No colours'
