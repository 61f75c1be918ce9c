using System;
using System.Collections.Generic;
using System.IO;
using FsCheck;
using FsCheck.Fluent;
using Strato.Engine.Boot;
using Strato.Protocol;
using Xunit;

namespace Strato.Tests.Unit.Boot;

public class InitrdTests
{
    private const ulong MiB = BootFixture.MiB;

    [Fact]
    public void GoesAsHighAsRamAllows()
    {
        using BootFixture boot = new();
        byte[] content = BzImageBuilder.Pattern(10_000);
        BootResult result = boot.Load(new BzImageBuilder().Build(), content);
        Assert.Equal(new AddressRange((256 * MiB) - 0x3000, 10_000), result.Initrd);
        Assert.Equal(content, boot.Read((256 * MiB) - 0x3000, 10_000));
    }

    [Fact]
    public void GoesAsHighAsTheKernelAllows()
    {
        using BootFixture boot = new(3072 * MiB);
        BootResult result = boot.Load(new BzImageBuilder { InitrdAddrMax = 0x37FF_FFFF }.Build(), new byte[0x1800]);
        Assert.Equal(new AddressRange(0x37FF_E000, 0x1800), result.Initrd);
    }

    [Fact]
    public void AnEmptyInitrdIsRefused()
    {
        using BootFixture boot = new();
        UserErrorException error = Assert.Throws<UserErrorException>(() => boot.Load(new BzImageBuilder().Build(), []));
        Assert.Equal(("InitrdEmpty", "-initrd"), (error.Id, error.Where));
        Assert.EndsWith("is empty (0 bytes): give an initramfs, or none", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ATooLargeInitrdIsRefusedWithTheRoomThereIs()
    {
        using BootFixture boot = new();
        byte[] kernel = new BzImageBuilder { InitrdAddrMax = 0x13F_FFFF + 0x10_0000 }.Build();
        UserErrorException error = Assert.Throws<UserErrorException>(() => boot.Load(kernel, new byte[(15 << 20) + 1]));
        Assert.Equal("InitrdTooLarge", error.Id);
        Assert.EndsWith("the kernel takes one up to 0x14fffff, and 15728640 bytes are free below that", error.Message, StringComparison.Ordinal);
        Assert.Contains("has 15728641 bytes", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ASparseInitrdLargerThanTheRamIsRefusedBeforeItIsRead()
    {
        using BootFixture boot = new();
        string path = boot.PathOf("huge");
        using (FileStream stream = File.Create(path))
        {
            stream.SetLength(1L << 42);
        }

        using ImageFile file = ImageFile.Open(path, ImageRole.Initrd, "-initrd");
        LoadedKernel kernel = boot.LoadKernel(new BzImageBuilder().Build());
        UserErrorException error = Assert.Throws<UserErrorException>(() => Initrd.Load(boot.Memory, file, kernel));
        Assert.Equal("InitrdTooLarge", error.Id);
        Assert.Contains("the guest's RAM below 4 GiB ends at 0x10000000", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void IsPlacedOnThePageThatIsHighest()
    {
        Gen<(ulong Size, ulong End, List<AddressRange> Used)> cases =
            from size in Gen.Choose(1, 40 * 4096)
            from end in Gen.Choose(0x100, 0x100 + 100)
            from extra in Gen.Choose(0, 4095)
            from ranges in Range().ListOf(3)
            select ((ulong)size, ((ulong)end * 4096) + (ulong)extra, new List<AddressRange>(ranges));
        Prop.ForAll(cases.ToArbitrary(), Holds).Check(Config.QuickThrowOnFailure.WithMaxTest(3000));

        static Gen<AddressRange> Range() =>
            from start in Gen.Choose(0x100 * 4096, (0x100 + 90) * 4096)
            from length in Gen.Choose(1, 30 * 4096)
            select new AddressRange((ulong)start, (ulong)length);

        // Against the plain search: every page from the highest down.
        static bool Holds((ulong Size, ulong End, List<AddressRange> Used) given)
        {
            ulong? expected = null;
            for (ulong page = given.End / 4096; page >= 0x100 && expected is null; page--)
            {
                AddressRange range = new(page * 4096, given.Size);
                if (range.End <= given.End && !given.Used.Exists(range.Overlaps))
                {
                    expected = range.Start;
                }
            }

            return Initrd.Place(given.Size, given.End, given.Used) == expected;
        }
    }

    [Theory]
    [InlineData(ulong.MaxValue)]
    [InlineData(1UL << 63)]
    public void SizesThatWouldWrapDoNotFit(ulong size) => Assert.Null(Initrd.Place(size, 1UL << 32, []));
}
