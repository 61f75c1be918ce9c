using System;
using System.Text;
using Strato.Protocol;
using Strato.Protocol.Snapshots;
using Xunit;

namespace Strato.Tests.Unit.Snapshots;

/// <summary>What a snapshot tells of itself; <see cref="GoldenTests"/> reads a whole one.</summary>
public sealed class SnapshotDescriptionTests
{
    private const string Whole =
        """{"engine":"1","saved":"2026-01-02T03:04:05+02:00","host-kernel":null,"name":null,"machine":"microvm","running":false,"memory":1,"cpus":1,"max-cpus":1,"drives":[],"nets":[]}""";

    [Fact]
    public void AMachineMayHaveNoName()
    {
        SnapshotDescription description = Parse(Whole);
        Assert.Null(description.Name);
        Assert.Null(description.HostKernel);
        Assert.Equal(new DateTimeOffset(2026, 1, 2, 1, 4, 5, TimeSpan.Zero), description.Saved);
        Assert.Empty(description.Drives);
    }

    /// <summary>An older engine's has neither processor nor devices.</summary>
    [Fact]
    public void WhatWasntToldIsEmpty()
    {
        SnapshotDescription description = Parse(Whole);
        Assert.Null(description.Cpu);
        Assert.Empty(description.Kvm);
        Assert.Empty(description.Devices);
    }

    [Theory]
    [InlineData("\"cpu\":7")]
    [InlineData("\"cpu\":{\"vendor\":\"v\",\"model\":\"m\",\"features\":[null]}")]
    [InlineData("\"cpu\":{\"vendor\":null,\"model\":\"m\",\"features\":[]}")]
    [InlineData("\"kvm\":[]")]
    [InlineData("\"kvm\":{\"KVM_CAP_XSAVE\":\"1\"}")]
    [InlineData("\"devices\":{}")]
    [InlineData("\"devices\":[{\"slot\":0}]")]
    [InlineData("\"devices\":[{\"slot\":0,\"driver\":\"d\",\"id\":\"i\",\"queues\":1,\"queue-size\":1,\"options\":{\"a\":null}}]")]
    public void WhatCantBeOfAHostIsDamageToo(string member) =>
        Assert.Equal("SnapshotDamaged", Assert.Throws<UserErrorException>(() => Parse(Whole.Replace("\"nets\":[]", $"\"nets\":[],{member}", StringComparison.Ordinal))).Id);

    /// <summary>What a newer engine adds is let pass.</summary>
    [Fact]
    public void MoreIsNoDamage() => Assert.Equal("1", Parse(Whole.Replace("{\"engine\"", "{\"more\":[1],\"engine\"", StringComparison.Ordinal)).Engine);

    [Theory]
    [InlineData("\"engine\":\"1\"", "\"engine\":null")]
    [InlineData("\"engine\":\"1\"", "\"engine\":1")]
    [InlineData("\"engine\":\"1\"", "\"e\":\"1\"")]
    [InlineData("\"machine\":\"microvm\"", "\"machine\":null")]
    [InlineData("\"memory\":1", "\"memory\":1.5")]
    [InlineData("\"memory\":1", "\"memory\":1e400")]
    [InlineData("\"cpus\":1", "\"cpus\":4294967296")]
    [InlineData("\"running\":false", "\"running\":0")]
    [InlineData("2026-01-02T03:04:05+02:00", "yesterday")]
    [InlineData("\"drives\":[]", "\"drives\":{}")]
    [InlineData("\"drives\":[]", "\"drives\":[7]")]
    [InlineData("\"drives\":[]", "\"drives\":[{\"id\":null,\"file\":\"/x\",\"read-only\":false,\"size\":1}]")]
    [InlineData("\"nets\":[]", "\"nets\":[{\"id\":\"n\",\"mac\":null,\"netdev\":\"d\"}]")]
    [InlineData("\"nets\":[]", "\"nets\":null")]
    [InlineData("{\"engine\"", "[{\"engine\"")]
    [InlineData("\"engine\":\"1\"", "\"engine\":\"\\ud800\"")]
    public void WhatCantBeIsDamage(string from, string to)
    {
        UserErrorException error = Assert.Throws<UserErrorException>(() => Parse(Whole.Replace(from, to, StringComparison.Ordinal)));
        Assert.Equal("SnapshotDamaged", error.Id);
        Assert.Contains("section 'description' is damaged", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void EachCutIsDamage()
    {
        for (int length = 0; length < Whole.Length; length++)
        {
            Assert.Equal("SnapshotDamaged", Assert.Throws<UserErrorException>(() => Parse(Whole[..length])).Id);
        }
    }

    [Fact]
    public void ANewerOneIsToldAsSuch() =>
        Assert.Equal("SnapshotVersion", Assert.Throws<UserErrorException>(() => Parse(Whole, version: 2)).Id);

    private static SnapshotDescription Parse(string text, ushort version = 1) =>
        SnapshotDescription.Parse(new StateFile(Guid.Empty, [new SnapshotSection(SnapshotDescription.SectionName, version, Encoding.UTF8.GetBytes(text))]));
}
