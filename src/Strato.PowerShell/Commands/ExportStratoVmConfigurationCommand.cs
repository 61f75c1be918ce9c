using System;
using System.Collections.Generic;
using System.IO;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell.Commands;

/// <summary>Export-StratoVmConfiguration: a VM's definition as a file that people and the engine can read.</summary>
[Cmdlet(VerbsData.Export, "StratoVmConfiguration", DefaultParameterSetName = VMNameSet, SupportsShouldProcess = true)]
[OutputType(typeof(string), typeof(Vm))]
public sealed class ExportStratoVmConfigurationCommand : VmPartCmdlet
{
    private readonly HashSet<string> _written = new(StringComparer.Ordinal);

    [Parameter(Position = 1, HelpMessage = "File to write, or folder for a file of each VM's name; without, the text is emitted.")]
    [ValidateNotNullOrEmpty]
    public string? Path { get; set; }

    [Parameter(HelpMessage = "Psd1 or Json; by the file's name if omitted, and Psd1 for text and folders.")]
    [ValidateSet("Psd1", "Json")]
    public string? Format { get; set; }

    [Parameter(HelpMessage = "Replace a file that is there.")]
    public SwitchParameter Force { get; set; }

    [Parameter(HelpMessage = "Emit the VM; by default nothing is emitted where a file is written.")]
    public SwitchParameter PassThru { get; set; }

    private protected override void Process(VmTarget vm) => Try(vm.Name, () =>
    {
        VmDefinition definition = vm.Client.GetById(vm.Id);
        VmConfigurationFormat? format = ConfigurationText.FormatOf(Format);
        if (Path is null)
        {
            WriteObject(StratoClient.FormatConfiguration(definition, format ?? VmConfigurationFormat.Psd1));
            return;
        }

        string path = ResolveFile(Path);
        if (Directory.Exists(path))
        {
            format ??= VmConfigurationFormat.Psd1;
            path = System.IO.Path.Combine(path, $"{definition.Name}{(format == VmConfigurationFormat.Json ? ".json" : ".psd1")}");
        }

        if (ShouldProcess(definition.Name, $"Export the configuration to '{path}'"))
        {
            // Several VMs don't write over each other.
            StratoClient.ExportConfiguration(definition, path, format, Force && !_written.Contains(path));
            _written.Add(path);
            if (PassThru)
            {
                WriteNow(vm);
            }
        }
    });
}
