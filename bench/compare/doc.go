// Package compare gives every system its runs, on the same servers and in one run, and makes a table of what they
// reach. Systems take runs because machines change from minute to minute: what is compared is what ran within the same
// round, and every ratio comes with its spread over the rounds.
package compare
