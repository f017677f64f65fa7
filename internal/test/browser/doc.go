// Package browser drives a headless Chromium over the page. Its tests do an operator's tasks by clicks; the command below it
// takes screenshots.
package browser
