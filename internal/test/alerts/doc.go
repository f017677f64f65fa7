// Package alerts tests the alerts of deploy/prometheus and the dashboard of deploy/grafana. Each alert fires in a test that
// causes its condition on a real server: promtool evaluates the rules on what the server's /metrics showed before and after.
package alerts
