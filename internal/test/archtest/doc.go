// Package archtest contains only tests. They read the repository's files and enforce its structure: the table of imports, a
// pure core, short files, existing rules and true tables of limits.
package archtest
