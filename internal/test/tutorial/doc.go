// Package tutorial runs the code of docs/tutorial.md and compares the code of README.md with the example that it shows.
package tutorial
