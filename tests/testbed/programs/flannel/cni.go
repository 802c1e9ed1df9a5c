package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"
)

// Where the configuration of a pod waits for the day on which the pod goes, as with flannel's own plugin.
const defaultDataDir = "/var/lib/cni/flannel"

type pluginConf struct {
	types.NetConf
	SubnetFile string         `json:"subnetFile"`
	DataDir    string         `json:"dataDir"`
	Delegate   map[string]any `json:"delegate"`
}

// runPlugin answers the container runtime: the plugin named in "delegate" (bridge, unless it says otherwise) is
// called with the addresses and the MTU that the daemon wrote to its subnet file.
func runPlugin() {
	check := func(*skel.CmdArgs) error { return nil }
	skel.PluginMainFuncs(skel.CNIFuncs{Add: add, Del: del, Check: check}, version.All, "flannel")
}

func add(args *skel.CmdArgs) error {
	conf, err := readConf(args.StdinData)
	if err != nil {
		return err
	}
	subnet, err := readSubnetFile(conf.SubnetFile)
	if err != nil {
		return err
	}
	delegate, err := delegateConf(conf, subnet)
	if err != nil {
		return err
	}
	content, err := json.Marshal(delegate)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(conf.DataDir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(conf.DataDir, args.ContainerID), content, 0o600); err != nil {
		return err
	}
	result, err := invoke.DelegateAdd(context.TODO(), delegate["type"].(string), content, nil)
	if err != nil {
		return err
	}
	return result.Print()
}

func del(args *skel.CmdArgs) error {
	conf, err := readConf(args.StdinData)
	if err != nil {
		return err
	}
	file := filepath.Join(conf.DataDir, args.ContainerID)
	content, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil // the pod never got its network, or has lost it already
	}
	if err != nil {
		return err
	}
	var delegate types.NetConf
	if err := json.Unmarshal(content, &delegate); err != nil {
		return err
	}
	if err := invoke.DelegateDel(context.TODO(), delegate.Type, content, nil); err != nil {
		return err
	}
	return os.Remove(file)
}

func readConf(data []byte) (*pluginConf, error) {
	conf := &pluginConf{SubnetFile: "/run/flannel/subnet.env", DataDir: defaultDataDir}
	if err := json.Unmarshal(data, conf); err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return conf, nil
}

// readSubnetFile reads the lines NAME=VALUE that the daemon wrote.
func readSubnetFile(path string) (map[string]string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("flannel's daemon has not written its subnet file: %w", err)
	}
	read := map[string]string{}
	for _, line := range strings.Split(string(content), "\n") {
		if name, value, found := strings.Cut(line, "="); found {
			read[name] = value
		}
	}
	return read, nil
}

func delegateConf(conf *pluginConf, subnet map[string]string) (map[string]any, error) {
	mtu, err := strconv.Atoi(subnet["FLANNEL_MTU"])
	if err != nil {
		return nil, fmt.Errorf("FLANNEL_MTU: %w", err)
	}
	var ranges, routes []any
	for _, family := range []string{"", "IPV6_"} {
		if own := subnet["FLANNEL_"+family+"SUBNET"]; own != "" {
			_, network, err := net.ParseCIDR(own) // it is written as the gateway's address
			if err != nil {
				return nil, err
			}
			ranges = append(ranges, []any{map[string]any{"subnet": network.String()}})
		}
		for _, network := range strings.Split(subnet["FLANNEL_"+family+"NETWORK"], ",") {
			if network != "" {
				routes = append(routes, map[string]any{"dst": network})
			}
		}
	}
	delegate := map[string]any{
		"cniVersion": conf.CNIVersion, "name": conf.Name, "type": "bridge", "mtu": mtu,
		"ipMasq": subnet["FLANNEL_IPMASQ"] != "true", "isGateway": true,
		"ipam": map[string]any{"type": "host-local", "ranges": ranges, "routes": routes},
	}
	for name, value := range conf.Delegate {
		delegate[name] = value
	}
	return delegate, nil
}
