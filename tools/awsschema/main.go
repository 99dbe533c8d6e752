// Command awsschema lets Terraform check terraform/ where the AWS provider itself cannot be
// had: it takes the provider's schema out of the npm package @cdktf/provider-aws, and is a
// provider that has this schema and does nothing.
//
//	awsschema -package FILE.tgz -integrity sha512-… -terraform DIR -mirror DIR
//
// writes a filesystem mirror for Terraform and OpenTofu with itself as hashicorp/aws, in the
// version that the bindings were generated from, with the schema of what DIR uses beside it.
// Started by Terraform, it serves that schema.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5/tf5server"

	"github.com/mlops-platform/mooring/tools/awsschema/bindings"
	"github.com/mlops-platform/mooring/tools/awsschema/schema"
	"github.com/mlops-platform/mooring/tools/awsschema/standin"
	"github.com/mlops-platform/mooring/tools/awsschema/uses"
)

const schemaFile = "schema.json"

// The registries under whose names Terraform and OpenTofu look for hashicorp/aws.
var registries = []string{"registry.terraform.io", "registry.opentofu.org"}

func main() {
	run := mirror
	if os.Getenv("TF_PLUGIN_MAGIC_COOKIE") != "" {
		run = serve
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "awsschema:", err)
		os.Exit(1)
	}
}

// serve answers Terraform, by the schema beside the program.
func serve() error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(program), schemaFile))
	if err != nil {
		return err
	}
	provider, err := schema.Read(text)
	if err != nil {
		return err
	}
	server := func() tfprotov5.ProviderServer { return standin.Server{Schema: provider} }
	return tf5server.Serve(registries[0]+"/hashicorp/aws", server)
}

func mirror() error {
	archive := flag.String("package", "", "the archive of the npm package @cdktf/provider-aws")
	integrity := flag.String("integrity", "", "its digest as npm writes it, sha512-…")
	folder := flag.String("terraform", "terraform", "the folder whose resources and data sources are wanted")
	target := flag.String("mirror", "", "the folder to write the mirror to; it must not exist")
	flag.Parse()
	if *archive == "" || *integrity == "" || *target == "" || flag.NArg() > 0 {
		return errors.New("-package, -integrity and -mirror are needed, and no arguments: see -help")
	}
	used, err := uses.Of(*folder)
	if err != nil {
		return err
	}
	provider, err := bindings.Read(*archive, *integrity, used)
	if err != nil {
		return err
	}
	text, err := json.Marshal(provider)
	if err != nil {
		return err
	}
	for _, registry := range registries {
		where := filepath.Join(*target, registry, "hashicorp/aws", provider.Version, runtime.GOOS+"_"+runtime.GOARCH)
		if err := install(where, "terraform-provider-aws_v"+provider.Version, text); err != nil {
			return err
		}
	}
	fmt.Printf("the schema of AWS provider %s for %d resources and %d data sources\n", provider.Version, len(provider.Resources), len(provider.DataSources))
	return nil
}

// install puts this program and the schema into a folder.
func install(folder, name string, schemaText []byte) (err error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, schemaFile), schemaText, 0o644); err != nil {
		return err
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	from, err := os.Open(program)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(filepath.Join(folder, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	_, err = io.Copy(to, from)
	return err
}
