using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Management.Automation;
using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using Strato.PowerShell;
using Xunit;

namespace Strato.Tests.Unit.CmdletHost;

/// <summary>The stand-in can replace PowerShell's assembly under the module.</summary>
public sealed class StandInTests
{
    private const string PowerShell = "System.Management.Automation";

    [Fact]
    public void ItBearsPowerShellsNameAndKeyAndAHigherVersion()
    {
        AssemblyName standIn = typeof(PSCmdlet).Assembly.GetName();
        AssemblyName needed = typeof(StratoCmdlet).Assembly.GetReferencedAssemblies().Single(assembly => assembly.Name == PowerShell);
        Assert.Equal(PowerShell, standIn.Name);
        Assert.Equal(needed.GetPublicKeyToken(), standIn.GetPublicKeyToken());
        Assert.True(standIn.Version > needed.Version);
    }

    [Fact]
    public void ItHasEveryMemberThatTheModuleUses()
    {
        using FileStream file = File.OpenRead(typeof(StratoCmdlet).Assembly.Location);
        using PEReader image = new(file);
        MetadataReader reader = image.GetMetadataReader();
        List<string> missing = [];
        int found = 0;
        foreach (MemberReferenceHandle handle in reader.MemberReferences)
        {
            MemberReference member = reader.GetMemberReference(handle);
            if (member.Parent.Kind != HandleKind.TypeReference)
            {
                continue;
            }

            TypeReference type = reader.GetTypeReference((TypeReferenceHandle)member.Parent);
            if (type.ResolutionScope.Kind != HandleKind.AssemblyReference
                || reader.GetString(reader.GetAssemblyReference((AssemblyReferenceHandle)type.ResolutionScope).Name) != PowerShell)
            {
                continue;
            }

            string typeName = $"{reader.GetString(type.Namespace)}.{reader.GetString(type.Name)}";
            string name = reader.GetString(member.Name);
            const BindingFlags Any = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.FlattenHierarchy;
            bool there = typeof(PSCmdlet).Assembly.GetType(typeName)?.GetMember(name, Any).Length > 0;
            found++;
            if (!there)
            {
                missing.Add($"{typeName}.{name}");
            }
        }

        Assert.Empty(missing);
        Assert.True(found > 50, $"only {found} references were looked at");
    }

    [Fact]
    public void TheModuleShipsNoPowerShellAssembly() =>
        Assert.DoesNotContain(typeof(StratoCmdlet).Assembly.GetReferencedAssemblies(), assembly => assembly.Name is not (PowerShell or "Strato.Client" or "Strato.Protocol") && !assembly.Name!.StartsWith("System.", System.StringComparison.Ordinal));
}
