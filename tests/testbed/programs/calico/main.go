// Calico's programs in one, and what its container image does to keep them running.
//
// Called by a container runtime (which sets CNI_COMMAND) it is the CNI plugin, and under the name calico-ipam the
// plugin for addresses. `calico node FILE` runs a node: the start-up routine until it succeeds, then Felix, the
// allocator of tunnel addresses and what else FILE names, each started again whenever it ends: Felix ends on purpose
// when its configuration changes.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/projectcalico/calico/cni-plugin/pkg/ipamplugin"
	"github.com/projectcalico/calico/cni-plugin/pkg/plugin"
	confdconfig "github.com/projectcalico/calico/confd/pkg/config"
	confd "github.com/projectcalico/calico/confd/pkg/run"
	felix "github.com/projectcalico/calico/felix/daemon"
	"github.com/projectcalico/calico/node/pkg/allocateip"
	"github.com/projectcalico/calico/node/pkg/lifecycle/startup"
)

const (
	version = "v3.28.5"
	pause   = 100 * time.Millisecond
)

// node is what FILE holds.
type node struct {
	Environment map[string]string // for all programs
	Daemons     [][]string        // each a part of this program (tunnels, felix, confd DIR) or a path and its arguments
}

func main() {
	switch {
	case filepath.Base(os.Args[0]) == "calico-ipam":
		ipamplugin.Main(version)
	case os.Getenv("CNI_COMMAND") != "":
		plugin.Main(version)
	case len(os.Args) < 2:
		fail("a part is missing")
	default:
		run(os.Args[1], os.Args[2:])
	}
}

func run(part string, rest []string) {
	switch part {
	case "node":
		runNode(rest[0])
	case "startup":
		startup.Run()
	case "tunnels":
		allocateip.Run(make(chan struct{}))
	case "felix":
		felix.Run("/etc/calico/felix.cfg", version, "", "")
	case "confd":
		config, err := confdconfig.InitConfig(true)
		if err != nil {
			fail(err)
		}
		config.ConfDir = rest[0]
		confd.Run(config)
	default:
		fail("there is no part " + part)
	}
}

func runNode(file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		fail(err)
	}
	var told node
	if err := json.Unmarshal(text, &told); err != nil {
		fail(err)
	}
	for name, value := range told.Environment {
		os.Setenv(name, value)
	}
	for runOnce([]string{"startup"}) != nil {
		time.Sleep(pause)
	}
	for _, command := range told.Daemons {
		go func() {
			for {
				err := runOnce(command)
				fmt.Fprintln(os.Stderr, "calico:", command[0], "has ended and starts again:", err)
				time.Sleep(pause)
			}
		}()
	}
	select {}
}

func runOnce(command []string) error {
	program, arguments := "/proc/self/exe", command
	if strings.HasPrefix(command[0], "/") {
		program, arguments = command[0], command[1:]
	}
	child := exec.Command(program, arguments...)
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return child.Run()
}

func fail(why any) {
	fmt.Fprintln(os.Stderr, "calico:", why)
	os.Exit(1)
}
