using Strato.Engine.Machine;
using Xunit;

namespace Strato.Tests.Unit.Machine;

public class KvmVerdictTests
{
    [Theory]
    [InlineData(SpeedCheck.UsableMips - 0.1, KvmVerdict.Emulated, "emulates guests at")]
    [InlineData(SpeedCheck.UsableMips, KvmVerdict.Usable, "KVM runs guests on the processor")]
    [InlineData(2000, KvmVerdict.Usable, "(2000 million instructions a second measured)")]
    public void TheMeasuredSpeedDecides(double mips, string verdict, string says)
    {
        KvmVerdict told = KvmVerdict.OfSpeed(new SpeedCheck.Result(mips, null, 0));
        Assert.Equal((verdict, mips), (told.Verdict, told.Mips));
        Assert.Contains(says, told.Reason, System.StringComparison.Ordinal);
    }
}
