// flannel's daemon and its CNI plugin in one program, over flannel's own packages.
//
// flannel's own main imports back ends of cloud providers whose modules are not served, so it does not build from
// published modules. This one has the back ends of plain networks, and does the same things in the same order.
// Called by a container runtime (which sets CNI_COMMAND), it is the CNI plugin: see cni.go.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/flannel-io/flannel/pkg/backend"
	_ "github.com/flannel-io/flannel/pkg/backend/hostgw"
	_ "github.com/flannel-io/flannel/pkg/backend/ipip"
	_ "github.com/flannel-io/flannel/pkg/backend/vxlan"
	_ "github.com/flannel-io/flannel/pkg/backend/wireguard"
	"github.com/flannel-io/flannel/pkg/ip"
	"github.com/flannel-io/flannel/pkg/ipmatch"
	"github.com/flannel-io/flannel/pkg/subnet/kube"
	"github.com/flannel-io/flannel/pkg/trafficmngr"
	"github.com/flannel-io/flannel/pkg/trafficmngr/iptables"
	"github.com/flannel-io/flannel/pkg/trafficmngr/nftables"
)

const (
	annotationPrefix   = "flannel.alpha.coreos.com"
	rulesResyncSeconds = 5
)

func main() {
	if os.Getenv("CNI_COMMAND") != "" {
		runPlugin()
		return
	}
	kubeconfig := flag.String("kubeconfig", "", "file that says how to reach the API server")
	iface := flag.String("iface", "eth0", "interface or address through which other nodes are reached")
	netConf := flag.String("net-conf", "/etc/kube-flannel/net-conf.json", "the network, its back end, iptables or nftables")
	subnetFile := flag.String("subnet-file", "/run/flannel/subnet.env", "file to write for the CNI plugin")
	node := flag.String("node", os.Getenv("NODE_NAME"), "name of this node")
	flag.Parse()
	os.Setenv("NODE_NAME", *node) // the subnet manager reads it there

	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, *kubeconfig, *iface, *netConf, *subnetFile); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "flannel:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, kubeconfig, iface, netConf, subnetFile string) error {
	subnets, err := kube.NewSubnetManager(ctx, "", kubeconfig, annotationPrefix, netConf, true)
	if err != nil {
		return err
	}
	config, err := subnets.GetNetworkConfig(ctx)
	if err != nil {
		return err
	}
	family, err := ipmatch.GetIPFamily(config.EnableIPv4, config.EnableIPv6)
	if err != nil {
		return err
	}
	external, err := ipmatch.LookupExtIface(iface, "", "", family, ipmatch.PublicIPOpts{})
	if err != nil {
		return err
	}
	chosen, err := backend.NewManager(ctx, subnets, external).GetBackend(config.BackendType)
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	network, err := chosen.RegisterNetwork(ctx, &running, config)
	if err != nil {
		return err
	}
	var rules trafficmngr.TrafficManager = &iptables.IPTablesManager{}
	if config.EnableNFTables {
		rules = &nftables.NFTablesManager{}
	}
	if err := rules.Init(ctx); err != nil {
		return err
	}
	none, none6 := ip.IP4Net{}, ip.IP6Net{IP: ip.FromIP6(net.IPv6zero)} // no earlier run to clean up after
	err = rules.SetupAndEnsureMasqRules(ctx, config.Network, none, none, config.IPv6Network, none6, none6,
		network.Lease(), rulesResyncSeconds, false)
	if err != nil {
		return err
	}
	rules.SetupAndEnsureForwardRules(ctx, config.Network, config.IPv6Network, rulesResyncSeconds)
	lease := network.Lease()
	if err := subnets.HandleSubnetFile(subnetFile, config, true, lease.Subnet, lease.IPv6Subnet, network.MTU()); err != nil {
		return err
	}
	running.Go(func() { network.Run(ctx) })
	err = subnets.CompleteLease(ctx, lease, &running)
	running.Wait()
	return err
}
