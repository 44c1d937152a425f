package tools

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rhysd/actionlint"
	"go.yaml.in/yaml/v4"
)

const root = "../.."

// Every workflow is one that GitHub would take.
func TestWorkflows(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(root + "/.github/workflows/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d workflows, %v", len(files), err)
	}
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{WorkingDir: root})
	if err != nil {
		t.Fatal(err)
	}
	mistakes, err := linter.LintFiles(files, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mistakes {
		t.Error(m)
	}
}

// The linter is one that notices.
func TestLinterNotices(t *testing.T) {
	t.Parallel()
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	mistakes, err := linter.Lint("x.yml", []byte("on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo ${{ inputs.nothing }}\n"), nil)
	if err != nil || len(mistakes) == 0 {
		t.Errorf("%d mistakes, %v: want the input that nobody declared", len(mistakes), err)
	}
}

// parse reads a YAML file.
func parse(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

type step struct {
	ID, Name, Shell, Run, Uses string
	Env                        map[string]string
}

// script runs a step's script as GitHub does.
func script(t *testing.T, s step, env ...string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "step.sh")
	if err := os.WriteFile(file, []byte(s.Run), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "--noprofile", "--norc", "-eo", "pipefail", file)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	// What it leaves behind belongs to the job: it ends with the test.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 10 * time.Second
	err := cmd.Run()
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) })
	return out.String(), err
}

// The action starts a mock: its step is run as it stands.
func TestAction(t *testing.T) {
	t.Parallel()
	var action struct {
		Inputs  map[string]struct{ Description, Default string }
		Outputs map[string]struct{ Description, Value string }
		Runs    struct {
			Using string
			Steps []step
		}
	}
	parse(t, "action.yml", &action)
	if action.Runs.Using != "composite" || len(action.Runs.Steps) != 1 {
		t.Fatalf("runs: %+v", action.Runs)
	}
	start := action.Runs.Steps[0]
	for name, env := range map[string]string{"key": "KEY", "flags": "FLAGS"} {
		if _, declared := action.Inputs[name]; !declared || start.Env[env] != "${{ inputs."+name+" }}" {
			t.Errorf("input %s does not reach the step", name)
		}
	}
	dir, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	output := filepath.Join(t.TempDir(), "output")
	out, err := script(t, start, "GITHUB_ACTION_PATH="+dir, "GITHUB_OUTPUT="+output, "RUNNER_TEMP="+t.TempDir(), "KEY=one,two", "FLAGS=-rate 0")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		given[name] = value
	}
	for name, o := range action.Outputs {
		if o.Value != "${{ steps.start.outputs."+name+" }}" || given[name] == "" {
			t.Errorf("output %s is %q", name, given[name])
		}
	}
	if len(action.Outputs) != 2 {
		t.Errorf("outputs %v, want url and key", action.Outputs)
	}
	if status := get(t, given["url"]+"/Practitioner?_count=1", given["key"]); status != http.StatusOK {
		t.Errorf("the mock answers %d", status)
	}
}

// An action whose flags are wrong ends, and says why.
func TestActionWithWrongFlags(t *testing.T) {
	t.Parallel()
	var action struct{ Runs struct{ Steps []step } }
	parse(t, "action.yml", &action)
	dir, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	out, err := script(t, action.Runs.Steps[0], "GITHUB_ACTION_PATH="+dir, "GITHUB_OUTPUT="+filepath.Join(t.TempDir(), "output"), "KEY=k", "FLAGS=-profile staging")
	if err == nil || !strings.Contains(out, `profile "staging"`) {
		t.Errorf("%v, %q: want a failure that names the flag", err, out)
	}
}

func get(t *testing.T, url, key string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("ESANTE-API-KEY", key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// The last step of the reusable workflow is run as it stands, against a mock,
// and against nothing at all.
func TestVerifyWorkflow(t *testing.T) {
	t.Parallel()
	var workflow struct {
		Jobs struct{ Verify struct{ Steps []step } }
	}
	parse(t, ".github/workflows/verify.yml", &workflow)
	var verify step
	for _, s := range workflow.Jobs.Verify.Steps {
		if s.Name == "Verify" {
			verify = s
		}
	}
	bin := t.TempDir()
	build := exec.Command("go", "build", "-buildvcs=false", "-o", bin+"/", "./cmd/...")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	mock := exec.Command(bin+"/mockfhir", "-addr", "127.0.0.1:0", "-port-file", bin+"/port", "-rate", "0", "-log", "off")
	if err := mock.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mock.Process.Kill(); _ = mock.Wait() })
	var port []byte
	for deadline := time.Now().Add(20 * time.Second); len(port) == 0 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		port, _ = os.ReadFile(bin + "/port")
	}
	summary := filepath.Join(t.TempDir(), "summary.md")
	for _, tt := range []struct {
		name, url, key string
		want           string
	}{
		{"it holds", "http://" + net.JoinHostPort("127.0.0.1", strings.TrimSpace(string(port))) + "/fhir/v2", "mock-key", ""},
		{"it is away, which wakes nobody", "http://127.0.0.1:1/fhir/v2", "mock-key", "::warning"},
	} {
		out, err := script(t, verify, "RUNNER_TEMP="+bin, "ESANTE_API_KEY="+tt.key, "URL="+tt.url, "FLAGS=-rate 0", "GITHUB_STEP_SUMMARY="+summary)
		if err != nil || !strings.Contains(out, tt.want) {
			t.Errorf("%s: %v\n%s", tt.name, err, out)
		}
	}
	if info, err := os.Stat(summary); err != nil || info.Size() == 0 {
		t.Errorf("no summary: %v", err)
	}
}

// GitLab is not here to run its file; that it says what GitLab reads is held
// here, and that a job finds the service, in examples/container.
func TestGitLabServices(t *testing.T) {
	t.Parallel()
	var file map[string]struct {
		Services []struct {
			Name, Alias string
			Variables   map[string]string
		}
		Variables map[string]string
	}
	parse(t, "ci/gitlab-services.yml", &file)
	template := file[".mockfhir"]
	if len(file) != 1 || len(template.Services) != 1 {
		t.Fatalf("read %+v", file)
	}
	service := template.Services[0]
	if want := "http://" + service.Alias + ":8080/fhir/v2"; template.Variables["ESANTE_API_URL"] != want {
		t.Errorf("ESANTE_API_URL is %s, the service is at %s", template.Variables["ESANTE_API_URL"], want)
	}
	for name := range service.Variables {
		if !isSetting(t, name) {
			t.Errorf("%s is no setting of mockfhir", name)
		}
	}
}

// isSetting asks the help of mockfhir whether a variable of the environment
// is one of its flags.
func isSetting(t *testing.T, name string) bool {
	t.Helper()
	cmd := exec.Command("go", "run", "./cmd/mockfhir", "-h")
	cmd.Dir = root
	help, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	flag := strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(name, "MOCKFHIR_")), "_", "-")
	return strings.Contains(string(help), "\n  -"+flag+" ")
}

// The manifest is not run in a cluster; what it says about the image is held
// against the image.
func TestKubernetes(t *testing.T) {
	t.Parallel()
	type probe struct {
		HTTPGet struct{ Path, Port string } `yaml:"httpGet"`
	}
	type meta struct {
		Name   string
		Labels map[string]string
	}
	type object struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   meta
		Spec       struct {
			Replicas int
			Selector any
			Ports    []struct {
				Name       string
				Port       int
				TargetPort string `yaml:"targetPort"`
			}
			Template struct {
				Metadata meta
				Spec     struct {
					SecurityContext struct {
						RunAsNonRoot bool `yaml:"runAsNonRoot"`
						RunAsUser    int  `yaml:"runAsUser"`
					} `yaml:"securityContext"`
					Containers []struct {
						Image string
						Env   []struct{ Name, Value string }
						Ports []struct {
							Name          string
							ContainerPort int `yaml:"containerPort"`
						}
						StartupProbe    probe `yaml:"startupProbe"`
						ReadinessProbe  probe `yaml:"readinessProbe"`
						LivenessProbe   probe `yaml:"livenessProbe"`
						SecurityContext struct {
							ReadOnlyRootFilesystem bool `yaml:"readOnlyRootFilesystem"`
						} `yaml:"securityContext"`
					}
				}
			}
		}
	}
	text, err := os.ReadFile(root + "/deploy/kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var objects []object
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var o object
		if err := decoder.Decode(&o); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o)
	}
	if len(objects) != 2 || objects[0].Kind != "Deployment" || objects[1].Kind != "Service" {
		t.Fatalf("objects %+v, want a Deployment and a Service", objects)
	}
	pod := objects[0].Spec.Template.Spec
	if objects[0].Spec.Replicas < 2 || len(pod.Containers) != 1 || !pod.SecurityContext.RunAsNonRoot || pod.SecurityContext.RunAsUser != 65532 {
		t.Errorf("deployment %+v", objects[0].Spec)
	}
	c := pod.Containers[0]
	if len(c.Ports) != 1 || c.Ports[0].ContainerPort != 8080 || !c.SecurityContext.ReadOnlyRootFilesystem {
		t.Errorf("container %+v", c)
	}
	for name, p := range map[string]probe{"startup": c.StartupProbe, "readiness": c.ReadinessProbe, "liveness": c.LivenessProbe} {
		want := "/__mockfhir/readyz"
		if name == "liveness" {
			want = "/__mockfhir/livez"
		}
		if p.HTTPGet.Path != want || p.HTTPGet.Port != c.Ports[0].Name {
			t.Errorf("%s asks %+v", name, p.HTTPGet)
		}
	}
	for _, e := range c.Env {
		if !isSetting(t, e.Name) {
			t.Errorf("%s is no setting of mockfhir", e.Name)
		}
	}
	if port := objects[1].Spec.Ports[0]; port.TargetPort != c.Ports[0].Name || port.Port != 8080 {
		t.Errorf("service port %+v", port)
	}
}
