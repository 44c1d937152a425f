// Package rehearse makes a server go wrong on purpose, and keeps apart those
// who rehearse on it. It has the incidents that integrators of the directory
// really met, each with its story and the literal answer it gave; the scope
// that says which calls an incident touches; and the sessions in which parallel
// tests have their own incidents, directory and journal. mockserver asks it, at
// each call, what is to go wrong.
package rehearse
