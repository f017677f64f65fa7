// Package checker decides whether sagas ended correctly. It judges by what the services did, in the order in which they
// did it, and not by what the orchestrator reports. It works on plain values, so the simulation and the chaos tests are
// checked against the same rules, and tests can show that every rule can fail.
package checker
