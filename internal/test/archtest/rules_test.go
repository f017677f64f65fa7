package archtest

// all stands for every package except the commands.
const all = "*"

// imports returns the table of allowed imports, by package, for non-test files. A package without a row uses the row of the
// nearest directory above it. Packages of one row may import each other.
//
// Before you extend a row, consider an interface next to its consumer: store, api and internal/rabbit meet only in server.
func imports() map[string][]string {
	return map[string][]string{
		"saga":                     {"saga/rawjson"},
		"saga/rawjson":             {},
		"saga/condition":           {"saga", "saga/pattern"},
		"saga/schema":              {"saga", "saga/pattern"},
		"saga/pattern":             {},
		"saga/sagatest":            {"saga", "steps", "steps/wire", "client", "internal/engine", "internal/record", "internal/definitions", "store/memory"}, // what users test with
		"internal/definitions":     {"saga", "saga/condition", "saga/schema"},
		"internal/record":          {"saga", "steps/wire"},
		"internal/engine":          {"saga", "internal/record", "steps/wire", "internal/failpoint", "internal/wait", "internal/definitions"},
		"steps":                    {"saga", "saga/rawjson", "steps/wire", "client", "api/resource", "internal/rabbit", "internal/failpoint", "internal/wait", "internal/goroutines"}, // a typed saga registers and starts itself
		"steps/wire":               {"saga", "saga/rawjson"},
		"store":                    {"saga", "internal/record", "steps/wire", "migrations", "internal/failpoint", "internal/wait", "internal/definitions", "internal/seal"},
		"store/memory":             {"saga", "internal/record", "steps/wire", "internal/definitions"},
		"store/storetest":          {"saga", "internal/record", "steps/wire"},
		"api":                      {"saga", "saga/rawjson", "internal/record", "steps/wire", "api/resource", "api/diagnose", "internal/wait", "internal/definitions"},
		"api/diagnose":             {"saga", "internal/record", "steps/wire", "api/resource"},
		"api/resource":             {"saga", "saga/rawjson"},
		"api/ui":                   {"saga", "api/resource"},               // a client of the API: it does what the API can do, with its rights
		"bench":                    {"internal/loadtest", "bench/scaling"}, // it runs the compared systems as programs
		"bench/scaling":            {"bench", "client", "api/resource", "internal/loadtest", "internal/process", "internal/rabbit", "internal/wait"},
		"client":                   {"saga", "api/resource", "internal/wait"},
		"migrations":               {},
		"internal/test/archtest":   {},
		"internal/demo":            {"saga", "steps", "internal/record", "internal/wait"},
		"internal/bench":           {"saga", "steps", "client", "api/resource", "internal/loadtest", "internal/process", "internal/rabbit"},
		"internal/test/chaos":      {all},
		"internal/failpoint":       {},
		"internal/test/hostile":    {"internal/wait"},
		"internal/test/checker":    {"saga", "internal/record"},
		"internal/test/browser":    {all},
		"internal/test/alerts":     {all},
		"internal/test/deploy":     {},
		"internal/archive":         {},
		"internal/seal":            {},
		"internal/signin":          {},
		"internal/loadtest":        {},
		"internal/test/mutants":    {},
		"internal/process":         {},
		"internal/rabbit":          {"steps/wire", "internal/failpoint", "internal/wait", "internal/goroutines"},
		"internal/test/e2e":        {all},
		"internal/operate":         {"saga", "internal/record", "steps/wire", "internal/wait"},
		"internal/events":          {"internal/record", "steps/wire", "internal/failpoint", "internal/wait"},
		"internal/relay":           {"saga", "internal/record", "steps/wire", "internal/failpoint", "internal/wait"},
		"internal/test/sim":        {"saga", "internal/engine", "internal/record", "steps/wire", "store/memory", "internal/relay"},
		"internal/test/env":        {},
		"internal/test/modelcheck": {"saga"},
		"internal/traces":          {"saga"},
		"internal/wait":            {},
		"internal/goroutines":      {},
		"internal/workercheck":     {"saga", "steps/wire", "internal/rabbit"},
		"internal/test/workers":    {},
		"internal/test/tutorial":   {},
		"server":                   {all},
		"cmd":                      {all},
		"examples":                 {"saga", "steps", "steps/wire", "client", "api/resource", "server", "saga/sagatest"},
	}
}

// forbiddenInCore returns the packages that would give the core a clock, randomness or an environment.
func forbiddenInCore() []string {
	return []string{"net", "os", "math/rand", "math/rand/v2", "crypto/rand", "database/sql", "log/slog"}
}

// forbiddenCalls returns the functions of package time that read the clock or wait.
func forbiddenCalls() []string {
	return []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "NewTimer", "NewTicker", "Tick"}
}

const (
	maxFileLines     = 400 // 80 to 250 is normal
	maxFunctionLines = 70
)
