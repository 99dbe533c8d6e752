// Package cluster gives tests a Kubernetes cluster with real admission, scheduling and KServe.
//
//	func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		config := cluster.Config(t)
//		cluster.InstallCRDs(t, config)
//		namespace := cluster.Namespace(t)
//		...
//
// The cluster is the one KUBECONFIG names. Without it, one is started for the test process from
// bin/controlplane at the first use, and ends with the process. To share one among all packages:
//
//	bin/controlplane exec -- go test ./...
//
// Without bin/controlplane too, a test is skipped with the reason, and fails when CI=true.
package cluster
