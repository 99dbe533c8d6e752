// Package standin is a Terraform provider that has the AWS provider's schema and nothing
// else. Terraform validates against it, and tests with mock_provider run on it: both ask a
// provider for its schema only. Whatever else it is asked for, it refuses.
package standin

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"

	"github.com/mlops-platform/mooring/tools/awsschema/schema"
)

// Server answers Terraform. The methods that are not below are those of a nil interface: to
// plan, apply or read with this provider ends it.
type Server struct {
	tfprotov5.ProviderServer
	Schema *schema.Provider
}

// GetMetadata names the resources and data sources.
func (s Server) GetMetadata(context.Context, *tfprotov5.GetMetadataRequest) (*tfprotov5.GetMetadataResponse, error) {
	answer := &tfprotov5.GetMetadataResponse{ServerCapabilities: &tfprotov5.ServerCapabilities{}}
	for name := range s.Schema.Resources {
		answer.Resources = append(answer.Resources, tfprotov5.ResourceMetadata{TypeName: name})
	}
	for name := range s.Schema.DataSources {
		answer.DataSources = append(answer.DataSources, tfprotov5.DataSourceMetadata{TypeName: name})
	}
	return answer, nil
}

// GetProviderSchema gives the schema of everything.
func (s Server) GetProviderSchema(context.Context, *tfprotov5.GetProviderSchemaRequest) (*tfprotov5.GetProviderSchemaResponse, error) {
	answer := &tfprotov5.GetProviderSchemaResponse{
		ServerCapabilities: &tfprotov5.ServerCapabilities{},
		Provider:           &tfprotov5.Schema{Block: s.Schema.Config.Protocol()},
		ResourceSchemas:    map[string]*tfprotov5.Schema{}, DataSourceSchemas: map[string]*tfprotov5.Schema{},
	}
	for name, block := range s.Schema.Resources {
		answer.ResourceSchemas[name] = &tfprotov5.Schema{Block: block.Protocol()}
	}
	for name, block := range s.Schema.DataSources {
		answer.DataSourceSchemas[name] = &tfprotov5.Schema{Block: block.Protocol()}
	}
	return answer, nil
}

// GetResourceIdentitySchemas says that no resource has an identity: the bindings know of none.
func (Server) GetResourceIdentitySchemas(context.Context, *tfprotov5.GetResourceIdentitySchemasRequest) (*tfprotov5.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov5.GetResourceIdentitySchemasResponse{}, nil
}

// GetFunctions says that there are no functions: the bindings know of none.
func (Server) GetFunctions(context.Context, *tfprotov5.GetFunctionsRequest) (*tfprotov5.GetFunctionsResponse, error) {
	return &tfprotov5.GetFunctionsResponse{}, nil
}

// PrepareProviderConfig accepts: Terraform has held it against the schema already.
func (Server) PrepareProviderConfig(_ context.Context, request *tfprotov5.PrepareProviderConfigRequest) (*tfprotov5.PrepareProviderConfigResponse, error) {
	return &tfprotov5.PrepareProviderConfigResponse{PreparedConfig: request.Config}, nil
}

// ValidateResourceTypeConfig refuses values for what only the provider computes, which Terraform
// leaves to providers to say.
func (s Server) ValidateResourceTypeConfig(_ context.Context, request *tfprotov5.ValidateResourceTypeConfigRequest) (*tfprotov5.ValidateResourceTypeConfigResponse, error) {
	problems, err := computedOnly(s.Schema.Resources[request.TypeName], request.Config)
	return &tfprotov5.ValidateResourceTypeConfigResponse{Diagnostics: problems}, err
}

// ValidateDataSourceConfig does the same for data sources.
func (s Server) ValidateDataSourceConfig(_ context.Context, request *tfprotov5.ValidateDataSourceConfigRequest) (*tfprotov5.ValidateDataSourceConfigResponse, error) {
	problems, err := computedOnly(s.Schema.DataSources[request.TypeName], request.Config)
	return &tfprotov5.ValidateDataSourceConfigResponse{Diagnostics: problems}, err
}

// UpgradeResourceState gives the state of a mock back as it is: there is one version of the schema.
// OpenTofu asks for it between the runs of a test.
func (s Server) UpgradeResourceState(_ context.Context, request *tfprotov5.UpgradeResourceStateRequest) (*tfprotov5.UpgradeResourceStateResponse, error) {
	objectType := s.Schema.Resources[request.TypeName].ObjectType().Type
	state, err := request.RawState.Unmarshal(objectType)
	if err != nil {
		return nil, fmt.Errorf("read the state of %s: %w", request.TypeName, err)
	}
	upgraded, err := tfprotov5.NewDynamicValue(objectType, state)
	if err != nil {
		return nil, fmt.Errorf("write the state of %s: %w", request.TypeName, err)
	}
	return &tfprotov5.UpgradeResourceStateResponse{UpgradedState: &upgraded}, nil
}

// StopProvider has nothing to stop.
func (Server) StopProvider(context.Context, *tfprotov5.StopProviderRequest) (*tfprotov5.StopProviderResponse, error) {
	return &tfprotov5.StopProviderResponse{}, nil
}
