$title Tries to run a program of the host, at run time
$onText
Under an Opt-Server command with execMode=4 in force this must fail and leave no leaked.txt. gams.md says
how a user can get rid of an appended execMode. escape-call.gms tries the same at compile time.
$offText
execute 'id > leaked.txt';
display 'after execute';
