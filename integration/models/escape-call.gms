$title Tries to run a program of the host, at compile time
* Like escape.gms, but through $call.
$call id > leaked.txt
display 'after $call';
