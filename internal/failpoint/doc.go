// Package failpoint names the places at which a crash matters, so that tests can make one happen there. Without the
// build tag failpoints a place costs nothing: Reach and Error are empty and compiled away.
//
// With the tag, the variable FAILPOINTS says what happens where, such as
//
//	store/committed=exit@3;relay/confirmed=error%0.01;engine/acknowledging=stop
//
// Actions: exit (as kill -9 would), stop (SIGSTOP), error, sleep:<duration>. @n means the n-th time only, %p with that
// probability, every time where neither stands. Each place that acted is added as a line to the file of FAILPOINTS_LOG.
package failpoint
