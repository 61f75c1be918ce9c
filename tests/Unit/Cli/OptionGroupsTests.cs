using System;
using System.Collections.Generic;
using System.Linq;
using Strato.Engine.Cli;
using Strato.Engine.Qmp;
using Strato.Protocol;
using Xunit;

namespace Strato.Tests.Unit.Cli;

/// <summary>query-command-line-options tells the parts that the options take, and no others: what an option says is allowed, when it is given another.</summary>
public class OptionGroupsTests
{
    private static readonly IReadOnlyList<OptionGroup> Groups = OptionGroups.List(OptionTable.List);

    [Theory]
    [InlineData("machine", "type=microvm")]
    [InlineData("smp", "cpus=1")]
    [InlineData("m", "size=512M")]
    [InlineData("drive", "file=/f,id=d")]
    [InlineData("iothread", "id=t")]
    [InlineData("balloon", "deflate-on-oom=true")]
    [InlineData("add-fd", "fd=5,set=1")]
    [InlineData("chardev", "socket,id=c,path=/p", "file,id=c,path=/p", "pty,id=c")]
    [InlineData("netdev", "tap,id=n,ifname=t", "user,id=n", "stream,id=n,addr.type=unix,addr.path=/p", "stream,id=n,addr.type=fd,addr.str=5", "id=n,netdev=t")]
    [InlineData("object", "iothread,id=t", "rng-random,id=r", "memory-backend-ram,id=m,size=1G", "memory-backend-file,id=m,size=1G,mem-path=/p", "memory-backend-memfd,id=m,size=1G")]
    [InlineData("device", "virtio-blk-device,drive=d", "virtio-net-device,netdev=n", "virtio-rng-device,rng=r", "vsock,guest-cid=3", "virtio-serial-device,id=s,max_ports=3", "virtconsole,chardev=c", "virtserialport,chardev=c,name=n", "vhost-user-fs-device,tag=t,source=/", "virtio-balloon-device")]
    public void PartsAreThoseThatTheOptionTakes(string option, params string[] values)
    {
        // The part that names the kind is no parameter of QEMU's lists.
        SortedSet<string> taken = [];
        foreach (string value in values)
        {
            UserErrorException error = Assert.Throws<UserErrorException>(() => Options.Parse(["-kernel", "/k", "-" + option, value + ",zzz=1"]));
            Assert.StartsWith("'zzz' is unknown", error.Message, StringComparison.Ordinal);
            taken.UnionWith(error.Message[(error.Message.IndexOf("allowed: ", StringComparison.Ordinal) + 9)..].TrimEnd('.').Split(", "));
        }

        taken.ExceptWith(option is "machine" or "chardev" or "netdev" or "object" or "device" ? ["backend", "driver", "server", "wait", "type"] : []);
        SortedSet<string> listed = [.. Groups.Single(group => group.Name == option).Parameters.Select(parameter => parameter.Name)];
        listed.ExceptWith(option is "machine" ? ["type"] : []);
        Assert.Equal(string.Join(", ", taken), string.Join(", ", listed));
    }

    [Theory]
    [InlineData("drive", "readonly", "boolean")]
    [InlineData("drive", "iops", "number")]
    [InlineData("drive", "queue-size", "number")]
    [InlineData("drive", "file", "string")]
    [InlineData("smp", "cpus", "number")]
    [InlineData("m", "size", "size")]
    [InlineData("balloon", "deflate-on-oom", "boolean")]
    public void TypesAreWhatTheHelpSays(string option, string parameter, string type) =>
        Assert.Equal(type, Groups.Single(group => group.Name == option).Parameters.Single(one => one.Name == parameter).Type);

    [Fact]
    public void EveryOptionIsThere() => Assert.Equal(OptionTable.List.Select(option => option.Name[1..]), Groups.Select(group => group.Name));
}
