using System;
using System.Management.Automation;
using Strato.Client;

namespace Strato.PowerShell;

/// <summary>Lets a VM that came through a job or a remote session back into the cmdlets: it is looked up by its id in the local store.</summary>
public sealed class VmConverter : PSTypeConverter
{
    private const string Deserialized = "Deserialized.Strato.Vm";

    public override bool CanConvertFrom(object sourceValue, Type destinationType) =>
        destinationType == typeof(Vm) && sourceValue is PSObject value && value.TypeNames.Contains(Deserialized) && value.Properties["Id"] is not null;

    public override object ConvertFrom(object sourceValue, Type destinationType, IFormatProvider formatProvider, bool ignoreCase)
    {
        StratoClient client = StratoClient.FromEnvironment();
        string id = ((PSObject)sourceValue).Properties["Id"].Value?.ToString() ?? "";
        return new Vm(client, client.Snapshot(id));
    }

    public override bool CanConvertTo(object sourceValue, Type destinationType) => false;

    public override object ConvertTo(object sourceValue, Type destinationType, IFormatProvider formatProvider, bool ignoreCase) =>
        throw new PSInvalidCastException($"A Strato.Vm cannot become a {destinationType.Name}.");
}
