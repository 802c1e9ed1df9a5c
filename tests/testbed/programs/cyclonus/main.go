// An independent judge of NetworkPolicies: cyclonus' matcher, asked in JSON.
//
// Standard input holds one question a line: the policies, and the flows to judge by them. Standard output holds one
// line for each: per flow, whether the egress rules at its source and the ingress rules at its destination allow it.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/mattfenwick/cyclonus/pkg/matcher"
	networkingv1 "k8s.io/api/networking/v1"
)

type question struct {
	Policies []*networkingv1.NetworkPolicy
	Flows    []*matcher.Traffic
}

type judgement struct {
	Egress  bool
	Ingress bool
}

func judge(asked question) []judgement {
	policies := matcher.BuildNetworkPolicies(false, asked.Policies)
	judgements := make([]judgement, 0, len(asked.Flows))
	for _, flow := range asked.Flows {
		result := policies.IsTrafficAllowed(flow)
		judgements = append(judgements, judgement{Egress: result.Egress.IsAllowed(), Ingress: result.Ingress.IsAllowed()})
	}
	return judgements
}

func run(input io.Reader, output io.Writer) error {
	in, out := json.NewDecoder(bufio.NewReader(input)), json.NewEncoder(output)
	for {
		var asked question
		if err := in.Decode(&asked); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := out.Encode(judge(asked)); err != nil {
			return err
		}
	}
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
