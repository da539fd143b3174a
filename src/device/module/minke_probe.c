// Says that it was loaded, with what it was given: whether modules that were built against an image's headers work with its kernel.
#include <linux/init.h>
#include <linux/module.h>

static int answer;
module_param(answer, int, 0444);
MODULE_PARM_DESC(answer, "what is written to the kernel's log");

static int __init minke_probe_begin(void)
{
	pr_info("minke_probe: the answer is %d\n", answer);
	return 0;
}

static void __exit minke_probe_end(void)
{
	pr_info("minke_probe: gone\n");
}

module_init(minke_probe_begin);
module_exit(minke_probe_end);
MODULE_DESCRIPTION("Tries out modules of containers");
MODULE_LICENSE("Dual MIT/GPL");
