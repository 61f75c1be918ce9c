using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Import-StratoVmConfiguration: a VM of a configuration file; nothing is started.</summary>
[Cmdlet(VerbsData.Import, "StratoVmConfiguration", SupportsShouldProcess = true)]
[OutputType(typeof(Vm))]
public sealed class ImportStratoVmConfigurationCommand : StratoCmdlet
{
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true, HelpMessage = "Configuration file, .psd1 or .json.")]
    [Alias("FullName")]
    [ValidateNotNullOrEmpty]
    public string[] Path { get; set; } = null!;

    [Parameter(Position = 1, HelpMessage = "Name of the new VM, in the place of the file's.")]
    [ValidateNotNullOrEmpty]
    public string? Name { get; set; }

    [Parameter(HelpMessage = "Psd1 or Json; by the file's name if omitted.")]
    [ValidateSet("Psd1", "Json")]
    public string? Format { get; set; }

    protected override void ProcessRecord()
    {
        foreach (string path in Path)
        {
            Try(path, () => Import(path));
        }
    }

    private void Import(string path)
    {
        VmConfigurationDocument configuration = StratoClient.ReadConfiguration(ResolveFile(path), ConfigurationText.FormatOf(Format));
        foreach (string warning in configuration.Warnings)
        {
            WriteWarning(warning);
        }

        VmSettings overrides = new() { Name = Name };

        // Checked first, so that -WhatIf tells what would be refused.
        VmDefinition checkedVm = Client.CheckImport(configuration, overrides);
        if (!ShouldProcess(checkedVm.Name, $"Define a VM as '{path}' says"))
        {
            return;
        }

        VmDefinition made = Client.Import(configuration, overrides, Token);
        foreach (string warning in Client.GetWarnings(made))
        {
            WriteWarning(warning);
        }

        WriteObject(new Vm(Client, Client.Snapshot(made.Id, Token)));
    }
}
