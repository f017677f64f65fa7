package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// python returns what the worker in Python needs, as paths or programs and their Debian packages.
func python() []requirement {
	return []requirement{
		{"/usr/lib/python3/dist-packages/pika", "python3-pika"}, {"/usr/lib/python3/dist-packages/psycopg2", "python3-psycopg2"},
	}
}

// requirement is a file or a program that a Debian package has.
type requirement struct{ what, debian string }

func (r requirement) met() bool {
	if strings.HasPrefix(r.what, "/") {
		_, err := os.Stat(r.what)
		return err == nil
	}
	_, err := exec.LookPath(r.what)
	return err == nil
}

func unmet(all []requirement) (packages []string) {
	for _, r := range all {
		if !r.met() {
			packages = append(packages, r.debian)
		}
	}
	return packages
}

// ProvideLanguages installs what the example workers in Python, JavaScript and Java need, if it is missing and it can.
func ProvideLanguages(ctx context.Context) error {
	missing := unmet(append(python(),
		requirement{"node", "nodejs"}, requirement{"npm", "npm"}, requirement{"javac", "default-jdk-headless"},
		requirement{"/usr/share/java/amqp-client.jar", "librabbitmq-client-java"},
		requirement{"/usr/share/java/postgresql.jar", "libpostgresql-jdbc-java"},
		requirement{"/usr/share/java/gson.jar", "libgoogle-gson-java"},
		requirement{"/usr/share/java/slf4j-nop.jar", "libslf4j-java"},
	))
	if len(missing) == 0 {
		return nil
	}
	if !canInstall() {
		return fmt.Errorf("install the Debian packages %s", strings.Join(missing, ", "))
	}
	return install(ctx, missing...)
}
