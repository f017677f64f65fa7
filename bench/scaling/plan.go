package scaling

import "time"

// Plan says how much is measured. Its tags are the flags of the command.
type Plan struct {
	Rounds   int           `json:"rounds" default:"3" help:"Turns for every point; their median counts."`
	Warmup   time.Duration `json:"warmup" default:"1s" help:"Of a turn, before it is measured."`
	Duration time.Duration `json:"duration" default:"3s" help:"Of a turn, that is measured."`
	Load     int           `json:"load" default:"64" help:"Sagas in flight, where that is not what grows."`

	InFlight []int `json:"in_flight" default:"1,4,16,64,256,1024" help:"Sagas under way at once."`
	Steps    []int `json:"steps" default:"3,10,30" help:"Steps of a saga."`
	Payload  []int `json:"payload" default:"100,1000,10000,100000" help:"Bytes of data that a saga carries."`
	Replicas []int `json:"replicas" default:"1,2,4" help:"Processes that serve."`
	Finished []int `json:"finished" default:"0,100000,1000000,10000000" help:"Finished sagas in the tables."`
	Waiting  []int `json:"waiting" default:"0,100000,1000000" help:"Unfinished sagas that wait on timers."`
	Rates    []int `json:"rates" default:"25,50,75,90" help:"Of an open loop, in percent of the highest rate."`

	Backlog int           `json:"backlog" default:"100000" help:"Sagas started while no worker runs."`
	Idle    time.Duration `json:"idle" default:"20s" help:"How long an orchestrator without work is watched."`
	Soak    time.Duration `json:"soak" default:"1h" help:"How long the full load of the soak lasts."`
	Sample  time.Duration `json:"sample" default:"1m" help:"How often the soak is looked at."`
}
