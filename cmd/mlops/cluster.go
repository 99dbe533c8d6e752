package main

import (
	"errors"
	"flag"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
)

// kubeconfigFlag adds --kubeconfig, which the client library keeps.
func kubeconfigFlag(cmd *cobra.Command) {
	cmd.Flags().AddGoFlag(flag.CommandLine.Lookup(config.KubeconfigFlagName))
	cmd.Flags().Lookup(config.KubeconfigFlagName).Usage = "file that names the cluster (default: KUBECONFIG, else ~/.kube/config)"
}

// clusterConfig says how to reach the cluster.
func clusterConfig() (*rest.Config, error) {
	cfg, err := config.GetConfig()
	switch {
	case clientcmd.IsEmptyConfig(err):
		return nil, errors.New("find the cluster: no kubeconfig names one; set KUBECONFIG, or give --kubeconfig FILE")
	case err != nil:
		return nil, fmt.Errorf("find the cluster: %w", err)
	}
	return cfg, nil
}
