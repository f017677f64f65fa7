// Package failpoint names the places at which a crash matters, so that tests can make one happen there. Without the build
// tag failpoints, Reach and Error are empty and compiled away.
//
// With the tag, the environment variable FAILPOINTS defines what happens where, for example
//
//	store/committed=exit@3;relay/confirmed=error%0.01;engine/acknowledging=stop
//
// The actions are exit (SIGKILL), stop (SIGSTOP), error and sleep:<duration>. @n acts at the n-th visit only, %p with that
// probability, and otherwise every visit acts. Each action adds a line to the file that FAILPOINTS_LOG names.
package failpoint
