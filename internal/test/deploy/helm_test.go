package deploy_test

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// object is a Kubernetes object, as far as the tests look at it.
type object struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   struct {
		Name                string
		Labels, Annotations map[string]string
	}
	Spec struct {
		Replicas     int
		MinAvailable int            `yaml:"minAvailable"`
		Selector     map[string]any // labels, or matchLabels
		Template     struct {
			Metadata struct{ Labels map[string]string }
			Spec     pod
		}
		Endpoints []map[string]any
		Ports     []map[string]any
	}
}

type pod struct {
	ServiceToken    *bool          `yaml:"automountServiceAccountToken"`
	Grace           int            `yaml:"terminationGracePeriodSeconds"`
	RestartPolicy   string         `yaml:"restartPolicy"`
	SecurityContext map[string]any `yaml:"securityContext"`
	Volumes         []map[string]any
	Containers      []struct {
		Image           string
		Args            []string
		StartupProbe    map[string]any `yaml:"startupProbe"`
		LivenessProbe   map[string]any `yaml:"livenessProbe"`
		ReadinessProbe  map[string]any `yaml:"readinessProbe"`
		SecurityContext map[string]any `yaml:"securityContext"`
		Resources       map[string]map[string]string
		VolumeMounts    []struct {
			Name, MountPath string
			ReadOnly        bool `yaml:"readOnly"`
		} `yaml:"volumeMounts"`
	}
}

// helm runs helm, which is built from the module tools/release.
func helm(t *testing.T, arguments ...string) []byte {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", append([]string{"tool", "-modfile=tools/release/go.mod", "helm"}, arguments...)...)
	command.Dir = "../../.."
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	require.NoError(t, command.Run(), errs.String())
	return out.Bytes()
}

// rendered returns the objects of the chart, by kind.
func rendered(t *testing.T, settings ...string) map[string]object {
	t.Helper()
	arguments := []string{"template", "release", "deploy/helm/orchestrator"}
	for _, setting := range settings {
		arguments = append(arguments, "--set", setting)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(helm(t, arguments...)))
	found := map[string]object{}
	for {
		var one object
		err := decoder.Decode(&one)
		if errors.Is(err, io.EOF) {
			return found
		}
		require.NoError(t, err)
		if one.Kind != "" {
			require.NotContains(t, found, one.Kind)
			found[one.Kind] = one
		}
	}
}

func TestTheChartIsAccepted(t *testing.T) {
	t.Parallel()
	assert.NotContains(t, string(helm(t, "lint", "--strict", "deploy/helm/orchestrator")), "[ERROR]")
	kinds := map[string]string{
		"Deployment": "apps/v1", "Service": "v1", "PodDisruptionBudget": "policy/v1", "Job": "batch/v1", "ServiceMonitor": "monitoring.coreos.com/v1",
	}
	all := rendered(t, "serviceMonitor.enabled=true", "tls.secret=tls", "archive.existingClaim=claim")
	for kind, version := range kinds {
		assert.Equal(t, version, all[kind].APIVersion, kind)
		assert.NotEmpty(t, all[kind].Metadata.Labels["app.kubernetes.io/name"], kind)
	}
	assert.Len(t, all, len(kinds))
	assert.Len(t, rendered(t, "migrate.enabled=false"), 3)
}

func TestThePodsOfTheChartAreHardened(t *testing.T) {
	t.Parallel()
	all := rendered(t)
	for _, kind := range []string{"Deployment", "Job"} {
		spec := all[kind].Spec.Template.Spec
		assert.Equal(t, true, spec.SecurityContext["runAsNonRoot"], kind)
		assert.Equal(t, map[string]any{"type": "RuntimeDefault"}, spec.SecurityContext["seccompProfile"], kind)
		require.NotNil(t, spec.ServiceToken, kind)
		assert.False(t, *spec.ServiceToken, kind)
		require.Len(t, spec.Containers, 1)
		container := spec.Containers[0]
		assert.Equal(t, map[string]any{
			"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": map[string]any{"drop": []any{"ALL"}},
		}, container.SecurityContext, kind)
		assert.NotEmpty(t, container.Resources["limits"]["memory"], kind)
		for _, mount := range container.VolumeMounts {
			assert.True(t, mount.ReadOnly, "%s, %s", kind, mount.Name)
		}
	}
}

func TestTheDeploymentOfTheChartSurvives(t *testing.T) {
	t.Parallel()
	all := rendered(t, "tls.secret=tls")
	deployment := all["Deployment"]
	container := deployment.Spec.Template.Spec.Containers[0]
	assert.Greater(t, deployment.Spec.Template.Spec.Grace, int(shutdown.Seconds()))
	assert.Greater(t, deployment.Spec.Replicas, all["PodDisruptionBudget"].Spec.MinAvailable)
	get := func(probe map[string]any) any { return probe["httpGet"].(map[string]any)["path"] }
	assert.Equal(t, "/readyz", get(container.ReadinessProbe))
	assert.Equal(t, "/healthz", get(container.LivenessProbe), "a lost database must not restart replicas")
	assert.Equal(t, "/healthz", get(container.StartupProbe))
	assert.Equal(t, "HTTPS", container.LivenessProbe["httpGet"].(map[string]any)["scheme"])
	job := all["Job"]
	assert.Equal(t, "pre-install,pre-upgrade", job.Metadata.Annotations["helm.sh/hook"])
	assert.NotEqual(t, deployment.Spec.Template.Metadata.Labels["app.kubernetes.io/name"], job.Spec.Template.Metadata.Labels["app.kubernetes.io/name"],
		"the service must not choose the job")
	for name, value := range all["Service"].Spec.Selector {
		assert.Equal(t, value, deployment.Spec.Template.Metadata.Labels[name])
	}
}

func TestEveryFlagOfTheChartExists(t *testing.T) {
	t.Parallel()
	all := rendered(t, "tls.secret=tls", "archive.existingClaim=claim")
	for kind, command := range map[string][]string{"Deployment": {"serve"}, "Job": {"migrate", "up"}} {
		container := all[kind].Spec.Template.Spec.Containers[0]
		require.Equal(t, command, container.Args[:len(command)])
		help, err := exec.CommandContext(t.Context(), "go", append(append([]string{"run", "../../../cmd/orchestrator"}, command...), "--help")...).CombinedOutput()
		require.NoError(t, err, string(help))
		known := regexp.MustCompile(`--[a-z-]+`).FindAllString(string(help), -1)
		for _, flag := range container.Args[len(command):] {
			name, value, _ := strings.Cut(flag, "=")
			assert.Contains(t, known, name)
			assert.NotContains(t, value, "://", "secrets come from files")
		}
	}
}
